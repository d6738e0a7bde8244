// launch: 4 256 0
// arguments: randint 1024, zeros_i 16, 1024
// check: a1 - torch.bincount(a0 & 15, minlength=16)
extern "C" __global__ void histogram(const int* a, int* o, int n) {
  __shared__ int h[16];
  int t = threadIdx.x;
  if (t < 16) h[t] = 0;
  __syncthreads();
  atomicAdd(&h[a[blockIdx.x * 256 + t] & 15], 1);
  __syncthreads();
  if (t < 16) atomicAdd(&o[t], h[t]);
}
