// expect: out_of_bounds
// launch: 64 32 0
// arguments: randn 64x30, zeros 64x30, 30
extern "C" __global__ void global_row_stride(const float* a, float* o, int n) {
  int c = threadIdx.x;
  if (c < n) o[blockIdx.x * 32 + c] = a[blockIdx.x * 32 + c];
}
