// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - a0.view(4, 256).sum(1)
extern "C" __global__ void reduce_tree(const float* a, float* o, int n) {
  int t = threadIdx.x;
  __shared__ float s[256];
  s[t] = a[blockIdx.x * 256 + t];
  __syncthreads();
  for (int k = 128; k; k /= 2) {
    if (t < k) s[t] += s[t + k];
    __syncthreads();
  }
  if (t == 0) o[blockIdx.x] = s[0];
}
