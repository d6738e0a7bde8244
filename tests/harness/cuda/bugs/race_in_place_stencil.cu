// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_in_place_stencil(float* a, float* o, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i > 0 && i < n) a[i] = 0.5f * (a[i] + a[i - 1]);
  if (i == 0) o[0] = 1;
}
