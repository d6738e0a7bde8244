// expect: bad_shuffle
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shuffle_outside_mask(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  if (threadIdx.x < 16) v = __shfl_sync(0x0000ffffu, v, 20);
  if (threadIdx.x == 0) o[0] = v;
}
