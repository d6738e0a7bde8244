// expect: race
// launch: 4 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_warp_without_syncwarp(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[64];
  s[t] = a[t];
  s[t + 32] = a[t + 32];
  __syncwarp();
  for (int k = 32; k; k /= 2)
    if (t < k) s[t] += s[t + k];
  if (t == 0) o[blockIdx.x] = s[0];
}
