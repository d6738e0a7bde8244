// expect: bad_mask
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void mask_lane_not_named(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  v += __shfl_xor_sync(0x0000ffffu, v, 1);
  if (threadIdx.x == 0) o[0] = v;
}
