// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_init_and_atomics(const float* a, float* o, int n) {
  if (threadIdx.x == 0 && blockIdx.x == 0) o[0] = 0;
  atomicAdd(&o[0], a[blockIdx.x * 256 + threadIdx.x]);
}
