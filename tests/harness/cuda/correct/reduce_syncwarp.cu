// launch: 4 32 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - a0[:64].sum()
extern "C" __global__ void reduce_syncwarp(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[64];
  s[t] = a[t];
  s[t + 32] = a[t + 32];
  __syncwarp();
  for (int k = 32; k; k /= 2) {
    float v = t < k ? s[t] + s[t + k] : 0;
    __syncwarp();
    if (t < k) s[t] = v;
    __syncwarp();
  }
  if (t == 0) o[blockIdx.x] = s[0];
}
