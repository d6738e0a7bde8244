// expect: out_of_bounds
// launch: 4 256 512
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shared_dynamic_too_small(const float* a, float* o, int n) {
  extern __shared__ float d[];
  d[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) o[blockIdx.x] = d[0];
}
