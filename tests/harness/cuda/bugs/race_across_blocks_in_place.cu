// expect: race
// launch: 8 128 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_across_blocks_in_place(float* a, float* o, int n) {
  int i = blockIdx.x * 128 + threadIdx.x;
  float left = i >= 128 ? a[i - 128] : 0;
  a[i] = left + 1;
  if (i == 0) o[0] = 1;
}
