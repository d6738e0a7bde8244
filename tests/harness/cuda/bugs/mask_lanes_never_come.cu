// expect: bad_mask
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void mask_lanes_never_come(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  if (threadIdx.x < 16) v += __shfl_xor_sync(0xffffffffu, v, 1);
  __syncthreads();
  if (threadIdx.x == 0) o[0] = v;
}
