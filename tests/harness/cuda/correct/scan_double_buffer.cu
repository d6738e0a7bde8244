// launch: 1 256 2048
// arguments: randn 256, zeros 256, 256
// check: a1 - a0.cumsum(0)
extern "C" __global__ void scan_double_buffer(const float* a, float* o, int n) {
  extern __shared__ float d[];
  int t = threadIdx.x, from = 0;
  d[t] = a[t];
  __syncthreads();
  for (int k = 1; k < n; k *= 2) {
    int to = 1 - from;
    d[to * n + t] = d[from * n + t] + (t >= k ? d[from * n + t - k] : 0);
    from = to;
    __syncthreads();
  }
  o[t] = d[from * n + t];
}
