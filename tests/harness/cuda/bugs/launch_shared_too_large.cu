// expect: launch
// launch: 1 32 300000
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void launch_shared_too_large(const float* a, float* o, int n) {
  extern __shared__ float d[];
  d[threadIdx.x] = 1;
  o[0] = a[0];
}
