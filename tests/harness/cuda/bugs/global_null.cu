// expect: out_of_bounds
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void global_null(const float* a, float* o, int n) {
  float* q = n > 0 ? nullptr : o;
  q[threadIdx.x] = a[0];
}
