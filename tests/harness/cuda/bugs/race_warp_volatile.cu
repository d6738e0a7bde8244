// expect: race
// launch: 4 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_warp_volatile(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[64];
  s[t] = a[t];
  __syncthreads();
  if (t < 32) {
    volatile float* v = s;
    v[t] += v[t + 32];
    v[t] += v[t + 16];
    v[t] += v[t + 8];
    v[t] += v[t + 4];
    v[t] += v[t + 2];
    v[t] += v[t + 1];
  }
  if (t == 0) o[blockIdx.x] = s[0];
}
