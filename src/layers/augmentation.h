/* What the files of image layers that act in training share: the images, the layer's draws, and moving
 * pixels. */
#ifndef KRTI_LAYERS_AUGMENTATION_H
#define KRTI_LAYERS_AUGMENTATION_H

#include "layers/describe.h"

/* Keys drawn, in order; what is applied a second time in a step is given the same again. */
typedef struct krti_draws {
    krt_value *key[4];
    int num, next;
} krti_draws;

typedef struct krti_acting {
    krti_graph *g;
    krt_call *c;
    const krt_layer *l;
    const krt_augmentation_args *a;
    krt_value *x;      /* (batch, height, width, channels), float32 */
    krti_draws *draws; /* NULL: every draw is a new one */
} krti_acting;

/* The images as the layer makes them; NULL: failed, through the graph. */
typedef krt_value *(*krti_act_fn)(const krti_acting *t);
krt_value *krti_act_rotate(const krti_acting *t);
krt_value *krti_act_shear(const krti_acting *t);
krt_value *krti_act_translate(const krti_acting *t);

/* Keras's _set_factor(): a number means from its negative, a pair is sorted. Fails through the graph. */
bool krti_act_factor(const krti_acting *t, const char *key, krt_numbers given, double low,
                     double high, double out[2]);
/* As given, or 0 to 255. Fails through the graph. */
bool krti_act_value_range(const krti_acting *t, double out[2]);

/* The key of the layer's next draw. */
krt_value *krti_act_key(const krti_acting *t);
/* One uniform draw an image, (batch, 1, 1, 1). */
krt_value *krti_act_draw(const krti_acting *t, double low, double high);
/* One between the numbers of a factor. */
krt_value *krti_act_draw_factor(const krti_acting *t, const char *key, krt_numbers given,
                                double low, double high);
/* Which images are changed: with a probability that is itself drawn, between those of `factor`. */
krt_value *krti_act_chosen(const krti_acting *t);

/* 0, 1, ..., n - 1 under a shape. */
krt_value *krti_act_places(krti_graph *g, krt_shape shape, krt_dtype dtype);
/* The images with their pixels from rows y and columns x, (batch or 1, height * width) each, by the
 * layer's interpolation and fill_mode. */
krt_value *krti_act_sample(const krti_acting *t, krt_value *y, krt_value *x);

/* augmentation_mix.c and augmentation_warp.c */
krt_value *krti_act_aug_mix(const krti_acting *t);
krt_value *krti_act_color_jitter(const krti_acting *t);
krt_value *krti_act_cut_mix(const krti_acting *t);
krt_value *krti_act_elastic(const krti_acting *t);
krt_value *krti_act_equalize(const krti_acting *t);
krt_value *krti_act_erase(const krti_acting *t);
krt_value *krti_act_gaussian_blur(const krti_acting *t);
krt_value *krti_act_mix_up(const krti_acting *t);
krt_value *krti_act_perspective(const krti_acting *t);
krt_value *krti_act_posterize(const krti_acting *t);
krt_value *krti_act_rand_augment(const krti_acting *t);
/* augmentation_color.c */
krt_value *krti_act_auto_contrast(const krti_acting *t);
krt_value *krti_act_brightness(const krti_acting *t);
krt_value *krti_act_contrast(const krti_acting *t);
krt_value *krti_act_degenerate(const krti_acting *t);
krt_value *krti_act_grayscale(const krti_acting *t);
krt_value *krti_act_hue(const krti_acting *t);
krt_value *krti_act_invert(const krti_acting *t);
krt_value *krti_act_saturation(const krti_acting *t);
krt_value *krti_act_sharpness(const krti_acting *t);
krt_value *krti_act_solarize(const krti_acting *t);
/* preprocessing.c */
krt_value *krti_auto_contrast(krti_graph *g, krt_value *x, double low, double width);

#endif
