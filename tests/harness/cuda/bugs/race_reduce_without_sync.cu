// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_reduce_without_sync(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[256];
  s[t] = a[blockIdx.x * 256 + t];
  __syncthreads();
  for (int k = 128; k; k /= 2) {
    if (t < k) s[t] += s[t + k];
  }
  if (t == 0) o[blockIdx.x] = s[0];
}
