// expect: out_of_bounds
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void global_read_past_end(const float* a, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  o[i % 4] = a[i + n];
}
