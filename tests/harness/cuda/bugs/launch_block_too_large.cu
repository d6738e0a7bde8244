// expect: launch
// launch: 1 2048 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void launch_block_too_large(const float* a, float* o, int n) {
  o[0] = a[0];
}
