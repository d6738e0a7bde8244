// expect: out_of_bounds
// launch: 4 256 0
// arguments: randn 1024, zeros 1024, 1024
extern "C" __global__ void global_read_before_begin(const float* a, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  o[i] = a[i] - a[i - 1];
}
