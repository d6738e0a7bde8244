// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - (a0.view(4, 256).sum(1) + 128)
template <int N>
__device__ float reduce_block(float v) {
  __shared__ float s[N];
  int t = threadIdx.x;
  if (t < N) s[t] = v;
  __syncthreads();
  for (int k = N / 2; k; k /= 2) {
    if (t < k) s[t] += s[t + k];
    __syncthreads();
  }
  return s[0];
}
extern "C" __global__ void template_tile(const float* a, float* o, int n) {
  float v = reduce_block<256>(a[blockIdx.x * 256 + threadIdx.x]);
  float w = reduce_block<128>(threadIdx.x < 128 ? 1.0f : 0.0f);
  if (threadIdx.x == 0) o[blockIdx.x] = v + w;
}
