// launch: 4 64 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - a0[:256].view(4, 64).sum(1)
extern "C" __global__ void spin_lock(const float* a, float* o, int n) {
  __shared__ int lock;
  __shared__ float sum;
  if (threadIdx.x == 0) lock = 0, sum = 0;
  __syncthreads();
  while (atomicCAS(&lock, 0, 1)) {
  }
  __threadfence_block();
  sum += a[blockIdx.x * 64 + threadIdx.x];
  __threadfence_block();
  atomicExch(&lock, 0);
  __syncthreads();
  if (threadIdx.x == 0) o[blockIdx.x] = sum;
}
