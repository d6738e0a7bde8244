// expect: out_of_bounds
// launch: 4 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shared_dynamic_forgotten(const float* a, float* o, int n) {
  extern __shared__ float d[];
  d[threadIdx.x] = a[threadIdx.x];
  __syncwarp();
  if (threadIdx.x == 0) o[blockIdx.x] = d[0];
}
