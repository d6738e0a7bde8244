// expect: out_of_bounds
// launch: 4 256 0
// arguments: randn 1000, zeros 1024, 1000
extern "C" __global__ void global_read_no_guard(const float* a, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  o[i] = 2.0f * a[i];
}
