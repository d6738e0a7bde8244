// expect: out_of_bounds
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shared_index(const float* a, float* o, int n) {
  __shared__ float s[256];
  s[threadIdx.x + 1] = a[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) o[blockIdx.x] = s[1];
}
