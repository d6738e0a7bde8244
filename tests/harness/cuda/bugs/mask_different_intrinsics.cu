// expect: bad_mask
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void mask_different_intrinsics(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  if (threadIdx.x % 2)
    v += __shfl_xor_sync(0xffffffffu, v, 1);
  else
    v += __any_sync(0xffffffffu, v > 0);
  if (threadIdx.x == 0) o[0] = v;
}
