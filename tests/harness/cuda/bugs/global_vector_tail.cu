// expect: out_of_bounds
// launch: 1 256 0
// arguments: randn 1022, zeros 1024, 1022
extern "C" __global__ void global_vector_tail(const float* a, float* o, int n) {
  int i = threadIdx.x;
  if (4 * i < n) {
    float4 v = reinterpret_cast<const float4*>(a)[i];
    reinterpret_cast<float4*>(o)[i] = v;
  }
}
