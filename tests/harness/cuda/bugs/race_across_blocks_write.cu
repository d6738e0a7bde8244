// expect: race
// launch: 4 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_across_blocks_write(const float* a, float* o, int n) {
  if (threadIdx.x == 0) o[0] = a[blockIdx.x];
}
