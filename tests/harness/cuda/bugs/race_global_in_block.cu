// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_global_in_block(const float* a, float* o, int n) {
  o[blockIdx.x] += a[blockIdx.x * 256 + threadIdx.x];
}
