// expect: race or uninitialised_shared
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_no_sync_after_store(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[256];
  s[t] = a[blockIdx.x * 256 + t];
  if (t == 0) {
    float sum = 0;
    for (int i = 0; i < 256; i++) sum += s[255 - i];
    o[blockIdx.x] = sum;
  }
}
