// expect: uninitialised_shared
// launch: 1 128 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void uninitialised_warp_slots(const float* a, float* o, int n) {
  __shared__ float part[32];
  int t = threadIdx.x;
  float v = a[t];
  for (int k = 16; k; k /= 2) v += __shfl_xor_sync(~0u, v, k);
  if (t % 32 == 0) part[t / 32] = v;
  __syncthreads();
  if (t < 32) {
    v = part[t];
    for (int k = 16; k; k /= 2) v += __shfl_xor_sync(~0u, v, k);
    if (t == 0) o[0] = v;
  }
}
