// expect: out_of_bounds
// launch: 1 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void global_write_by_one(const float* a, float* o, int n) {
  int i = threadIdx.x;
  if (i <= 4) o[i] = a[i];
}
