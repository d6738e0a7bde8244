// launch: 4 256 0
// arguments: randn 1024, zeros 1024, 1024
// check: a1 - (a0 + torch.cat([a0.new_zeros(1), a0[:-1]]) + torch.cat([a0[1:], a0.new_zeros(1)]))
extern "C" __global__ void stencil_halo(const float* a, float* o, int n) {
  __shared__ float s[258];
  int t = threadIdx.x, i = blockIdx.x * 256 + t;
  s[t + 1] = a[i];
  if (t == 0) s[0] = i > 0 ? a[i - 1] : 0;
  if (t == 255) s[257] = i + 1 < n ? a[i + 1] : 0;
  __syncthreads();
  o[i] = s[t] + s[t + 1] + s[t + 2];
}
