// expect: race
// launch: 1 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_no_sync_before_overwrite(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[256];
  float sum = 0;
  for (int b = 0; b < 4; b++) {
    s[t] = a[b * 256 + t];
    __syncthreads();
    sum += s[255 - t];
  }
  if (t == 0) o[0] = sum;
}
