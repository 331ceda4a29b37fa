/* Every operation of keras.ops that this build knows: Keras's class, parameters, and what describes
 * it. The lists make the prototypes here and the table in operations_table.c. */
#ifndef KRTI_LAYERS_OPERATIONS_LIST_H
#define KRTI_LAYERS_OPERATIONS_LIST_H

#include "layers/operations_args.h"

/* X(class, function of one value): the parameter is x */
#define KRTI_OPERATIONS_UNARY(X)         \
    X(Absolute, absolute)                \
    X(Abs, absolute)                     \
    X(Fabs, absolute)                    \
    X(Arccos, acos)                      \
    X(Arccosh, acosh)                    \
    X(Arcsin, asin)                      \
    X(Arcsinh, asinh)                    \
    X(Arctan, atan)                      \
    X(Arctanh, atanh)                    \
    X(Cbrt, operation_cbrt)              \
    X(Ceil, ceil)                        \
    X(Conj, operation_identity)          \
    X(Conjugate, operation_identity)     \
    X(Copy, operation_identity)          \
    X(Cos, cos)                          \
    X(Cosh, cosh)                        \
    X(Deg2rad, operation_deg2rad)        \
    X(Erf, erf)                          \
    X(Erfc, operation_erfc)              \
    X(Exp, exp)                          \
    X(Exp2, operation_exp2)              \
    X(Expm1, expm1)                      \
    X(Floor, floor)                      \
    X(HardSigmoid, hard_sigmoid)         \
    X(HardSilu, hard_silu)               \
    X(HardTanh, operation_hard_tanh)     \
    X(Isfinite, isfinite)                \
    X(Isinf, isinf)                      \
    X(Isnan, isnan)                      \
    X(Isneginf, operation_isneginf)      \
    X(Isposinf, operation_isposinf)      \
    X(Log, log)                          \
    X(Log10, log10)                      \
    X(Log1p, log1p)                      \
    X(Log2, log2)                        \
    X(LogSigmoid, log_sigmoid)           \
    X(LogicalNot, logical_not)           \
    X(Negative, negative)                \
    X(Rad2deg, operation_rad2deg)        \
    X(Real, operation_identity)          \
    X(Reciprocal, reciprocal)            \
    X(Relu, operation_relu)              \
    X(Relu6, operation_relu6)            \
    X(Rsqrt, rsqrt)                      \
    X(Selu, selu)                        \
    X(Sigmoid, sigmoid)                  \
    X(Sign, sign)                        \
    X(Signbit, operation_signbit)        \
    X(Silu, silu)                        \
    X(Sin, sin)                          \
    X(Sinc, operation_sinc)              \
    X(Sinh, sinh)                        \
    X(Softplus, softplus)                \
    X(Softsign, softsign)                \
    X(Sqrt, sqrt)                        \
    X(Square, square)                    \
    X(Tan, tan)                          \
    X(Tanh, tanh)                        \
    X(TanhShrink, operation_tanh_shrink) \
    X(Trunc, trunc)

/* X(class, function of two values): the parameters are x1 and x2 */
#define KRTI_OPERATIONS_BINARY(X)           \
    X(Arctan2, atan2)                       \
    X(Divide, divide)                       \
    X(DivideNoNan, operation_divide_no_nan) \
    X(Equal, equal)                         \
    X(FloorDivide, floor_divide)            \
    X(Fmax, operation_fmax)                 \
    X(Fmin, operation_fmin)                 \
    X(Fmod, operation_fmod)                 \
    X(Greater, greater)                     \
    X(GreaterEqual, greater_equal)          \
    X(Heaviside, operation_heaviside)       \
    X(Hypot, operation_hypot)               \
    X(Ldexp, operation_ldexp)               \
    X(Less, less)                           \
    X(LessEqual, less_equal)                \
    X(Logaddexp, operation_logaddexp)       \
    X(Logaddexp2, operation_logaddexp2)     \
    X(LogicalAnd, logical_and)              \
    X(LogicalOr, logical_or)                \
    X(LogicalXor, logical_xor)              \
    X(Maximum, maximum)                     \
    X(Minimum, minimum)                     \
    X(Mod, mod)                             \
    X(NotEqual, not_equal)                  \
    X(Outer, operation_outer)               \
    X(TrueDivide, divide)

/* X(class, function over axes): x, axis, keepdims */
#define KRTI_OPERATIONS_REDUCE(X)            \
    X(All, reduce_all)                       \
    X(Any, reduce_any)                       \
    X(Amax, reduce_max)                      \
    X(Amin, reduce_min)                      \
    X(CountNonzero, operation_count_nonzero) \
    X(Logsumexp, operation_logsumexp)        \
    X(Max, reduce_max)                       \
    X(Mean, reduce_mean)                     \
    X(Min, reduce_min)                       \
    X(Nanmax, operation_nanmax)              \
    X(Nanmean, operation_nanmean)            \
    X(Nanmin, operation_nanmin)              \
    X(Nanprod, operation_nanprod)            \
    X(Nanstd, operation_nanstd)              \
    X(Nansum, operation_nansum)              \
    X(Nanvar, operation_nanvar)              \
    X(Prod, reduce_prod)                     \
    X(Ptp, operation_ptp)                    \
    X(Std, operation_std)                    \
    X(Sum, reduce_sum)                       \
    X(Var, operation_var)

/* X(class, parameters, function): one output */
#define KRTI_OPERATIONS_ONE(X)                                                       \
    X(AdaptiveAveragePool, "inputs", adaptive_average_pool)                          \
    X(AdaptiveMaxPool, "inputs", adaptive_max_pool)                                  \
    X(Add, "x1 x2", add)                                                             \
    X(Append, "x1 x2", append)                                                       \
    X(Arange, "start stop step", arange)                                             \
    X(Argmax, "x", argmax)                                                           \
    X(Argmin, "x", argmin)                                                           \
    X(Argsort, "x", argsort)                                                         \
    X(Array, "x", convert_to_tensor)                                                 \
    X(Average, "x weights", average)                                                 \
    X(AveragePool, "inputs", average_pool)                                           \
    X(BatchNorm, "x mean variance offset scale", batch_norm)                         \
    X(BroadcastTo, "x", broadcast_to)                                                \
    X(Cast, "x", cast)                                                               \
    X(Celu, "x", celu)                                                               \
    X(Clip, "x", clip)                                                               \
    X(Concatenate, "*xs", concatenate)                                               \
    X(Conv, "inputs kernel", conv)                                                   \
    X(ConvTranspose, "inputs kernel", conv_transpose)                                \
    X(ConvertToTensor, "x", convert_to_tensor)                                       \
    X(CropImages, "images", crop_images)                                             \
    X(Cross, "x1 x2", cross)                                                         \
    X(Cumprod, "x", cumprod)                                                         \
    X(Cumsum, "x", cumsum)                                                           \
    X(DepthToSpace, "x", depth_to_space)                                             \
    X(DepthwiseConv, "inputs kernel", depthwise_conv)                                \
    X(Diagonal, "x", diagonal)                                                       \
    X(Diff, "a", diff)                                                               \
    X(Digitize, "x bins", digitize)                                                  \
    X(Dot, "x1 x2", dot)                                                             \
    X(DotProductAttention, "query key value bias mask scale", dot_product_attention) \
    X(Dstack, "*xs", dstack)                                                         \
    X(Einsum, "*operands", einsum)                                                   \
    X(Elu, "x", elu)                                                                 \
    X(EmptyLike, "x", zeros_like)                                                    \
    X(ExpandDims, "x", expand_dims)                                                  \
    X(ExtractPatches, "images", extract_patches)                                     \
    X(Flip, "x", flip)                                                               \
    X(Fliplr, "x", fliplr)                                                           \
    X(Flipud, "x", flipud)                                                           \
    X(Full, "fill_value", full)                                                      \
    X(FullLike, "x fill_value", full_like)                                           \
    X(Gelu, "x", gelu)                                                               \
    X(GetItem, "x key", get_item)                                                    \
    X(Glu, "x", glu)                                                                 \
    X(HardShrink, "x", hard_shrink)                                                  \
    X(Hstack, "*xs", hstack)                                                         \
    X(Inner, "x1 x2", inner)                                                         \
    X(IsIn, "x1 x2", is_in)                                                          \
    X(Isclose, "x1 x2 rtol atol", isclose)                                           \
    X(LayerNorm, "x gamma beta", layer_norm)                                         \
    X(LeakyRelu, "x", leaky_relu)                                                    \
    X(Linspace, "start stop", linspace)                                              \
    X(LogSoftmax, "x", log_softmax)                                                  \
    X(Matmul, "x1 x2", matmul)                                                       \
    X(MaxPool, "inputs", max_pool)                                                   \
    X(Median, "x", median)                                                           \
    X(Moveaxis, "x", moveaxis)                                                       \
    X(MultiHot, "inputs", multi_hot)                                                 \
    X(Multiply, "x1 x2", multiply)                                                   \
    X(NanToNum, "x", nan_to_num)                                                     \
    X(Ndim, "x", ndim)                                                               \
    X(Norm, "x", norm)                                                               \
    X(Normalize, "x", normalize)                                                     \
    X(OneHot, "x", one_hot)                                                          \
    X(OnesLike, "x", ones_like)                                                      \
    X(Pad, "x constant_values", pad)                                                 \
    X(PadImages, "images", pad_images)                                               \
    X(Power, "x1 x2", power)                                                         \
    X(RGBToGrayscale, "images", rgb_to_grayscale)                                    \
    X(RMSNorm, "x scale", rms_norm)                                                  \
    X(Ravel, "x", ravel)                                                             \
    X(Repeat, "x", repeat)                                                           \
    X(Reshape, "x", reshape)                                                         \
    X(Resize, "images", resize)                                                      \
    X(Roll, "x", roll)                                                               \
    X(Rot90, "array", rot90)                                                         \
    X(Round, "x", round)                                                             \
    X(SaturateCast, "x", saturate_cast)                                              \
    X(Select, "condlist choicelist default", select)                                 \
    X(SeparableConv, "inputs depthwise_kernel pointwise_kernel", separable_conv)     \
    X(Size, "x", size)                                                               \
    X(Slice, "inputs start_indices", slice)                                          \
    X(SliceUpdate, "inputs start_indices updates", slice_update)                     \
    X(SoftShrink, "x", soft_shrink)                                                  \
    X(Softmax, "x", softmax)                                                         \
    X(Sort, "x", sort)                                                               \
    X(SpaceToDepth, "x", space_to_depth)                                             \
    X(SparsePlus, "x", sparse_plus)                                                  \
    X(SparseSigmoid, "x", sparse_sigmoid)                                            \
    X(Sparsemax, "x", sparsemax)                                                     \
    X(Squareplus, "x", squareplus)                                                   \
    X(Squeeze, "x", squeeze)                                                         \
    X(Stack, "*x", stack)                                                            \
    X(StopGradient, "variable", stop_gradient)                                       \
    X(Subtract, "x1 x2", subtract)                                                   \
    X(Swapaxes, "x", swapaxes)                                                       \
    X(Take, "x indices", take)                                                       \
    X(TakeAlongAxis, "x indices", take_along_axis)                                   \
    X(Tensordot, "x1 x2", tensordot)                                                 \
    X(Threshold, "x", threshold)                                                     \
    X(Tile, "x", tile)                                                               \
    X(Trace, "x", trace)                                                             \
    X(Trapezoid, "y", trapezoid)                                                     \
    X(Transpose, "x", transpose)                                                     \
    X(Tril, "x", tril)                                                               \
    X(Triu, "x", triu)                                                               \
    X(Vdot, "x1 x2", vdot)                                                           \
    X(Vstack, "*xs", vstack)                                                         \
    X(Where, "condition x1 x2", where)                                               \
    X(ZerosLike, "x", zeros_like)

/* The same, for what TensorFlow has and Keras has not; these are in no package. */
#define KRTI_OPERATIONS_TENSORFLOW(X)                                  \
    X(add_n, "*xs", add_n)                                             \
    X(band_part, "x", band_part)                                       \
    X(batch_flatten, "x", batch_flatten)                               \
    X(central_crop, "images", central_crop)                            \
    X(concat_v2, "*xs", concat_v2)                                     \
    X(crelu, "x", crelu)                                               \
    X(l2_normalize, "x", l2_normalize)                                 \
    X(local_response_normalization, "x", local_response_normalization) \
    X(per_image_standardization, "images", per_image_standardization)  \
    X(sequence_mask, "x", sequence_mask)                               \
    X(shape, "x", shape)                                               \
    X(strided_slice, "x begin end strides", strided_slice)

/* X(class, parameters, function): the function sets the outputs */
#define KRTI_OPERATIONS_MANY(X)     \
    X(ArraySplit, "x", array_split) \
    X(Dsplit, "x", dsplit)          \
    X(Hsplit, "x", hsplit)          \
    X(Meshgrid, "*x", meshgrid)     \
    X(Moments, "x", moments)        \
    X(Split, "x", split)            \
    X(TopK, "x", top_k)             \
    X(Unstack, "x", unstack)        \
    X(Vsplit, "x", vsplit)

/* operations_math.c */
/* What the dtype cannot hold becomes its nearest bound. */
krt_value *krti_saturate_cast(krti_graph *g, krt_value *x, krt_dtype dtype);
krt_value *krti_operation_cbrt(krti_graph *g, krt_value *x);
krt_value *krti_operation_identity(krti_graph *g, krt_value *x);
krt_value *krti_operation_deg2rad(krti_graph *g, krt_value *x);
krt_value *krti_operation_erfc(krti_graph *g, krt_value *x);
krt_value *krti_operation_exp2(krti_graph *g, krt_value *x);
krt_value *krti_operation_hard_tanh(krti_graph *g, krt_value *x);
krt_value *krti_operation_isneginf(krti_graph *g, krt_value *x);
krt_value *krti_operation_isposinf(krti_graph *g, krt_value *x);
krt_value *krti_operation_rad2deg(krti_graph *g, krt_value *x);
krt_value *krti_operation_relu(krti_graph *g, krt_value *x);
krt_value *krti_operation_relu6(krti_graph *g, krt_value *x);
krt_value *krti_operation_signbit(krti_graph *g, krt_value *x);
krt_value *krti_operation_sinc(krti_graph *g, krt_value *x);
krt_value *krti_operation_tanh_shrink(krti_graph *g, krt_value *x);
krt_value *krti_operation_divide_no_nan(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_fmax(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_fmin(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_fmod(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_heaviside(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_hypot(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_ldexp(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_logaddexp(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_logaddexp2(krti_graph *g, krt_value *a, krt_value *b);
krt_value *krti_operation_outer(krti_graph *g, krt_value *a, krt_value *b);
/* operations_shape.c: np.diagonal, axes counted from the front */
krt_value *krti_diagonal_of(krti_graph *g, krt_value *x, int axis1, int axis2, int64_t offset);
/* operations_reduce.c */
typedef krt_value *krti_reduce_fn(krti_graph *g, krt_value *x, const int *axes, int n,
                                  bool keepdims);
krti_reduce_fn krti_operation_count_nonzero, krti_operation_logsumexp, krti_operation_nanmax;
krti_reduce_fn krti_operation_nanmean, krti_operation_nanmin, krti_operation_nanprod;
krti_reduce_fn krti_operation_nanstd, krti_operation_nanvar;
krti_reduce_fn krti_operation_nansum, krti_operation_ptp, krti_operation_std, krti_operation_var;
krt_value *krti_operation_reduce(const krti_opcall *o, krti_reduce_fn *fn);

#define X(name, params, fn) krt_value *krti_operation_##fn(const krti_opcall *o);
KRTI_OPERATIONS_ONE(X)
KRTI_OPERATIONS_TENSORFLOW(X)
#undef X
krt_status krti_operation_split_sizes(const krti_opcall *o);
#define X(name, params, fn) krt_status krti_operation_##fn(const krti_opcall *o);
KRTI_OPERATIONS_MANY(X)
#undef X

#endif
