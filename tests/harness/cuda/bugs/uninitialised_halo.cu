// expect: uninitialised_shared
// launch: 4 256 0
// arguments: randn 1024, zeros 1024, 1024
extern "C" __global__ void uninitialised_halo(const float* a, float* o, int n) {
  __shared__ float s[258];
  int t = threadIdx.x, i = blockIdx.x * 256 + t;
  s[t + 1] = a[i];
  if (t == 0) s[0] = i > 0 ? a[i - 1] : 0;
  __syncthreads();
  o[i] = s[t] + s[t + 1] + s[t + 2];
}
