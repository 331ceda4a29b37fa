/* Gradients of the elementwise operations. See autodiff.h.
 *
 * A rule prefers the result `y` to the input `x` where either will do: what the forward pass fused
 * into the operation before is then not kept for the way back. */
#include "ops/autodiff.h"

#define ADD(a, b)      krti_add(g, (a), (b))
#define SUB(a, b)      krti_subtract(g, (a), (b))
#define MUL(a, b)      krti_multiply(g, (a), (b))
#define DIV(a, b)      krti_divide(g, (a), (b))
#define LINE(x, a, b)  krti_affine(g, (x), (a), (b), 0) /* a x + b */
#define PICK(c, a, b)  krti_where(g, (c), (a), (b))
#define NUMBER(c)      krti_scalar_like(g, dy, (c))
#define ABOVE(a, c)    krti_greater(g, (a), NUMBER(c))
#define BELOW(a, c)    krti_less(g, (a), NUMBER(c))
#define AT_LEAST(a, c) krti_greater_equal(g, (a), NUMBER(c))
#define AT_MOST(a, c)  krti_less_equal(g, (a), NUMBER(c))
#define AND(a, b)      krti_logical_and(g, (a), (b))

/* ------------------------------------------------------------------------------- one input */

static krt_value *ratio_to_root(krti_graph *g, krt_value *dy, krt_value *under)
{
    return MUL(dy, krti_rsqrt(g, under));
}

/* The slope of x * sigmoid(x): s + y (1 - s). */
static krt_value *silu_slope(krti_graph *g, krt_value *x, krt_value *y)
{
    krt_value *s = krti_sigmoid(g, x);

    return ADD(s, MUL(y, LINE(s, -1, 1)));
}

/* The normal distribution's integral and x times its density. */
static krt_value *gelu_slope(krti_graph *g, krt_value *x)
{
    krt_value *integral = LINE(krti_erf(g, LINE(x, 0.7071067811865476, 0)), 0.5, 0.5);
    krt_value *density = LINE(krti_exp(g, LINE(krti_square(g, x), -0.5, 0)), 0.3989422804014327, 0);

    return ADD(integral, MUL(x, density));
}

static krt_value *gelu_tanh_slope(krti_graph *g, krt_value *x)
{
    const double c = 0.7978845608028654;
    krt_value *square = krti_square(g, x);
    krt_value *t = krti_tanh(g, MUL(x, LINE(square, c * 0.044715, c)));
    krt_value *inner = MUL(x, LINE(square, 3 * c * 0.044715, c));

    return ADD(LINE(t, 0.5, 0.5), LINE(MUL(inner, LINE(krti_square(g, t), -1, 1)), 0.5, 0));
}

static krt_value *mish_slope(krti_graph *g, krt_value *x)
{
    krt_value *t = krti_tanh(g, krti_softplus(g, x));

    return ADD(t, MUL(MUL(x, krti_sigmoid(g, x)), LINE(krti_square(g, t), -1, 1)));
}

/* dy where x is between the bounds, ends included as TensorFlow's clip_by_value has it. */
static krt_value *inside(krti_graph *g, krt_value *dy, krt_value *x, double low, double high)
{
    krt_value *is_inside = AND(AT_LEAST(x, low), AT_MOST(x, high));

    return PICK(is_inside, dy, NUMBER(0));
}

static krt_value *hard_silu_dx(krti_graph *g, krt_value *dy, krt_value *x)
{
    krt_value *sloped = LINE(inside(g, MUL(dy, x), x, -3, 3), 1.0 / 6, 0);

    return ADD(MUL(dy, krti_hard_sigmoid(g, x)), sloped);
}

static krt_value *relu_dx(krti_graph *g, krt_value *dy, krt_value *x, krt_value *y,
                          const krti_attrs *at)
{
    const double slope = at->scalar.a, threshold = at->scalar.b, top = at->scalar.c;

    if (threshold == 0 && slope >= 0) { /* then y is above 0 exactly where x is */
        krt_value *in[] = {dy, y};

        return krti_graph_add1(g, &krti_op_relu_grad, in, 2, at);
    }
    krt_value *above =
        top < (double)INFINITY ? AND(ABOVE(x, threshold), BELOW(x, top)) : ABOVE(x, threshold);
    krt_value *dx = PICK(above, dy, NUMBER(0));
    if (slope == 0)
        return dx;
    return PICK(BELOW(x, threshold), ADD(dx, LINE(dy, slope, 0)), dx);
}

/* The rule of a function of one input: dx as an expression of dy, x, y and the attributes. */
#define UNARY(NAME, EXPRESSION)                    \
    void krti_vjp_##NAME(krti_vjp *v)              \
    {                                              \
        krti_graph *const g = v->g;                \
        krt_value *const x = v->n->in[0];          \
        krt_value *const y = &v->n->out[0];        \
        krt_value *const dy = v->dy[0];            \
        const krti_attrs *const at = &v->n->attrs; \
                                                   \
        (void)x;                                   \
        (void)y;                                   \
        (void)at;                                  \
        v->dx[0] = (EXPRESSION);                   \
    }
UNARY(negative, krti_negative(g, dy))
UNARY(absolute, MUL(dy, krti_sign(g, x)))
UNARY(square, MUL(dy, LINE(x, 2, 0)))
UNARY(exp, MUL(dy, y))
UNARY(expm1, MUL(dy, LINE(y, 1, 1)))
UNARY(log, DIV(dy, x))
UNARY(log1p, DIV(dy, LINE(x, 1, 1)))
UNARY(log2, DIV(LINE(dy, 1.4426950408889634, 0), x))
UNARY(log10, DIV(LINE(dy, 0.4342944819032518, 0), x))
UNARY(sqrt, DIV(LINE(dy, 0.5, 0), y))
UNARY(rsqrt, MUL(LINE(dy, -0.5, 0), MUL(y, krti_square(g, y))))
UNARY(reciprocal, MUL(krti_negative(g, dy), krti_square(g, y)))
UNARY(sin, MUL(dy, krti_cos(g, x)))
UNARY(cos, MUL(dy, krti_negative(g, krti_sin(g, x))))
UNARY(tan, MUL(dy, LINE(krti_square(g, y), 1, 1)))
UNARY(asin, ratio_to_root(g, dy, LINE(krti_square(g, x), -1, 1)))
UNARY(acos, krti_negative(g, ratio_to_root(g, dy, LINE(krti_square(g, x), -1, 1))))
UNARY(atan, DIV(dy, LINE(krti_square(g, x), 1, 1)))
UNARY(sinh, MUL(dy, krti_cosh(g, x)))
UNARY(cosh, MUL(dy, krti_sinh(g, x)))
UNARY(asinh, ratio_to_root(g, dy, LINE(krti_square(g, x), 1, 1)))
UNARY(acosh, ratio_to_root(g, dy, LINE(krti_square(g, x), 1, -1)))
UNARY(atanh, DIV(dy, LINE(krti_square(g, x), -1, 1)))
UNARY(erf, MUL(dy, LINE(krti_exp(g, krti_negative(g, krti_square(g, x))), 1.1283791670955126, 0)))
UNARY(sigmoid, MUL(dy, MUL(y, LINE(y, -1, 1))))
UNARY(tanh, MUL(dy, LINE(krti_square(g, y), -1, 1)))
UNARY(silu, MUL(dy, silu_slope(g, x, y)))
UNARY(gelu, MUL(dy, gelu_slope(g, x)))
UNARY(gelu_tanh, MUL(dy, gelu_tanh_slope(g, x)))
UNARY(softplus, MUL(dy, krti_sigmoid(g, x)))
UNARY(softsign, DIV(dy, krti_square(g, LINE(krti_absolute(g, x), 1, 1))))
UNARY(selu, MUL(dy, PICK(ABOVE(y, 0), NUMBER(1.0507009873554805), LINE(y, 1, 1.7580993408473766))))
UNARY(mish, MUL(dy, mish_slope(g, x)))
UNARY(hard_sigmoid, LINE(inside(g, dy, x, -3, 3), 1.0 / 6, 0))
UNARY(hard_silu, hard_silu_dx(g, dy, x))
UNARY(log_sigmoid, MUL(dy, krti_sigmoid(g, krti_negative(g, x))))
UNARY(relu, relu_dx(g, dy, x, y, at))
UNARY(elu, MUL(dy, PICK(ABOVE(x, 0), NUMBER(1), LINE(y, 1, at->scalar.a))))
UNARY(celu, MUL(dy, PICK(ABOVE(x, 0), NUMBER(1), LINE(y, 1 / at->scalar.a, 1))))
UNARY(clip, inside(g, dy, x, at->scalar.a, at->scalar.b))
UNARY(affine, LINE(dy, at->scalar.a, 0))
UNARY(power_scalar, MUL(LINE(dy, at->scalar.a, 0), krti_power_scalar(g, x, at->scalar.a - 1, 0, 0)))

/* ------------------------------------------------------------------------------- two inputs */

/* One gradient an input, each an expression of dy and the inputs a and b, summed over the axes
 * along which that input was repeated. */
#define BINARY(NAME, FOR_A, FOR_B)                             \
    void krti_vjp_##NAME(krti_vjp *v)                          \
    {                                                          \
        krti_graph *const g = v->g;                            \
        krt_value *const a = v->n->in[0];                      \
        krt_value *const b = v->n->in[1];                      \
        krt_value *const y = &v->n->out[0];                    \
        krt_value *const dy = v->dy[0];                        \
                                                               \
        (void)y;                                               \
        if (v->wanted[0])                                      \
            v->dx[0] = krti_unbroadcast(g, (FOR_A), a->shape); \
        if (v->wanted[1])                                      \
            v->dx[1] = krti_unbroadcast(g, (FOR_B), b->shape); \
    }

/* The power's slope for its exponent: y log a, and 0 where the logarithm is none. */
static krt_value *exponent_slope(krti_graph *g, krt_value *a, krt_value *y)
{
    krt_value *is_above = krti_greater(g, a, krti_zero_like(g, a));
    krt_value *log = krti_log(g, PICK(is_above, a, krti_scalar_like(g, a, 1)));

    return MUL(y, PICK(is_above, log, krti_zero_like(g, a)));
}

static krt_value *over_squares(krti_graph *g, krt_value *dy, krt_value *a, krt_value *b)
{
    return DIV(dy, ADD(krti_square(g, a), krti_square(g, b)));
}

BINARY(add, dy, dy)
BINARY(subtract, dy, krti_negative(g, dy))
BINARY(multiply, MUL(dy, b), MUL(dy, a))
BINARY(divide, DIV(dy, b), krti_negative(g, MUL(dy, DIV(y, b))))
BINARY(maximum, PICK(krti_greater_equal(g, a, b), dy, NUMBER(0)),
       PICK(krti_greater_equal(g, a, b), NUMBER(0), dy))
BINARY(minimum, PICK(krti_less_equal(g, a, b), dy, NUMBER(0)),
       PICK(krti_less_equal(g, a, b), NUMBER(0), dy))
BINARY(power, MUL(dy, MUL(b, krti_power(g, a, LINE(b, 1, -1)))), MUL(dy, exponent_slope(g, a, y)))
BINARY(mod, dy, krti_negative(g, MUL(dy, krti_floor_divide(g, a, b))))
BINARY(atan2, MUL(over_squares(g, dy, a, b), b),
       krti_negative(g, MUL(over_squares(g, dy, a, b), a)))
BINARY(squared_difference, MUL(dy, LINE(SUB(a, b), 2, 0)), MUL(dy, LINE(SUB(a, b), -2, 0)))

void krti_vjp_where(krti_vjp *v)
{
    krti_graph *const g = v->g;
    krt_value *const condition = v->n->in[0];
    krt_value *const dy = v->dy[0];

    if (v->wanted[1])
        v->dx[1] = krti_unbroadcast(g, PICK(condition, dy, NUMBER(0)), v->n->in[1]->shape);
    if (v->wanted[2])
        v->dx[2] = krti_unbroadcast(g, PICK(condition, NUMBER(0), dy), v->n->in[2]->shape);
}

/* Of a float to a float; nothing flows through integers. */
void krti_vjp_cast(krti_vjp *v)
{
    if (krti_dtype_is_float(v->dy[0]->dtype))
        v->dx[0] = krti_cast(v->g, v->dy[0], v->n->in[0]->dtype);
}
