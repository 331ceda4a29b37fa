/** @file preprocessing.h Keras: keras.layers, the preprocessing package. See ../layers.h. */
#ifndef KERATIN_LAYERS_PREPROCESSING_H
#define KERATIN_LAYERS_PREPROCESSING_H

#include "../sys/layer_class.h"

/** KRT_NUMBERS(0.5, 0.25): a list of numbers, for one argument. C only. */
#define KRT_NUMBERS(...)                                                \
    ((krt_numbers){ sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), \
                    (double[]){ __VA_ARGS__ },                          \
                    { 1, { sizeof((double[]){ __VA_ARGS__ }) / sizeof(double) } } })
/** KRT_NUMBER(255): a number where a list may stand. C only. */
#define KRT_NUMBER(value) ((krt_numbers){ 1, (double[]){ (value) }, { 0, { 0 } } })

/** Keras: keras.layers.Rescaling: x * scale + offset; lists go along the last axis. */
typedef struct krt_rescaling_args {
    krt_spec    spec;
    krt_numbers scale;     /**< required, KRT_NUMBER(1.0 / 255) or KRT_NUMBERS(...) */
    krt_numbers offset;    /**< none: 0 */
    const char *name;      /**< NULL: rescaling, rescaling_1, ... */
    bool        trainable; /**< true */
} krt_rescaling_args;
#define KRT_RESCALING(...) \
    KRT_SPEC(krt_rescaling_args, "Rescaling", .trainable = true, .scale = __VA_ARGS__)

/** Keras: keras.layers.Normalization: (x - mean) / sqrt(variance), both given, from a file or from
 *  krt_adapt(). */
typedef struct krt_normalization_args {
    krt_spec    spec;
    krt_axes    axis;     /**< {1, {-1}}: the axes with statistics of their own; none: one of all */
    krt_numbers mean;     /**< none: a weight */
    krt_numbers variance; /**< none: a weight */
    bool        invert;   /**< false; true undoes the normalization */
    const char *name;     /**< NULL: normalization, normalization_1, ... */
    bool        trainable; /**< true */
} krt_normalization_args;
#define KRT_NORMALIZATION(...)                                                                  \
    KRT_SPEC(krt_normalization_args, "Normalization", .axis = { 1, { -1 } }, .trainable = true, \
             __VA_ARGS__)

/** Keras: keras.layers.Resizing. */
typedef struct krt_resizing_args {
    krt_spec    spec;
    int64_t     height;               /**< required */
    int64_t     width;                /**< required */
    const char *interpolation;        /**< "bilinear"; "nearest", "bicubic", "lanczos3", ... */
    bool        crop_to_aspect_ratio; /**< false */
    bool        pad_to_aspect_ratio;  /**< false */
    const char *fill_mode;            /**< "constant", the only one there is */
    double      fill_value;           /**< 0 */
    bool        antialias;            /**< false */
    const char *data_format;          /**< NULL: "channels_last" */
    const char *name;                 /**< NULL: resizing, resizing_1, ... */
    bool        trainable;            /**< true */
} krt_resizing_args;
#define KRT_RESIZING(...)                                                                         \
    KRT_SPEC(krt_resizing_args, "Resizing", .interpolation = "bilinear", .fill_mode = "constant", \
             .trainable = true, .height = __VA_ARGS__)

/** Keras: keras.layers.CenterCrop; images that are too small are resized instead. */
typedef struct krt_center_crop_args {
    krt_spec    spec;
    int64_t     height;      /**< required */
    int64_t     width;       /**< required */
    const char *data_format; /**< NULL: "channels_last" */
    const char *name;        /**< NULL: center_crop, center_crop_1, ... */
    bool        trainable;   /**< true */
} krt_center_crop_args;
#define KRT_CENTER_CROP(...) \
    KRT_SPEC(krt_center_crop_args, "CenterCrop", .trainable = true, .height = __VA_ARGS__)

/** Keras: keras.layers.CategoryEncoding: numbers of classes as rows of zeros and ones, or counts. */
typedef struct krt_category_encoding_args {
    krt_spec    spec;
    int64_t     num_tokens;  /**< required: how many classes there are */
    const char *output_mode; /**< "multi_hot"; "one_hot", "count" */
    bool        sparse;      /**< false */
    const char *name;        /**< NULL: category_encoding, category_encoding_1, ... */
    bool        trainable;   /**< true */
} krt_category_encoding_args;
#define KRT_CATEGORY_ENCODING(...)                                                       \
    KRT_SPEC(krt_category_encoding_args, "CategoryEncoding", .output_mode = "multi_hot", \
             .trainable = true, .num_tokens = __VA_ARGS__)

/** Keras: keras.layers.Discretization: which of the bins a number falls into. */
typedef struct krt_discretization_args {
    krt_spec    spec;
    krt_numbers bin_boundaries; /**< ascending; or `num_bins` and krt_adapt() */
    int64_t     num_bins;       /**< KRT_NONE: as many as the boundaries make */
    double      epsilon;        /**< 0.01, of adapt() */
    const char *output_mode;    /**< "int"; "one_hot", "multi_hot", "count" */
    bool        sparse;         /**< false */
    const char *name;           /**< NULL: discretization, discretization_1, ... */
    bool        trainable;      /**< true */
} krt_discretization_args;
#define KRT_DISCRETIZATION(...)                                                                \
    KRT_SPEC(krt_discretization_args, "Discretization", .num_bins = KRT_NONE, .epsilon = 0.01, \
             .output_mode = "int", .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.AutoContrast: each channel of each image stretched over its value range. */
typedef struct krt_auto_contrast_args {
    krt_spec    spec;
    krt_numbers value_range; /**< none: 0 to 255 */
    const char *data_format; /**< NULL: "channels_last" */
    const char *name;        /**< NULL: auto_contrast, auto_contrast_1, ... */
    bool        trainable;   /**< true */
} krt_auto_contrast_args;
#define KRT_AUTO_CONTRAST(...) \
    KRT_SPEC(krt_auto_contrast_args, "AutoContrast", .trainable = true, __VA_ARGS__)

/** Keras's image layers that act in training only, by class name; a prediction passes them unchanged.
 *
 *      krt_add(m, KRT_AUGMENTATION("RandomFlip", .mode = "horizontal"));
 *      krt_add(m, KRT_AUGMENTATION("RandomRotation", .factor = KRT_NUMBER(0.1)));
 *
 *  A factor is a number, from its negative on, or two. */
typedef struct krt_augmentation_args {
    krt_spec    spec;
    krt_numbers factor; /**< of RandomRotation, RandomContrast, RandomBrightness, RandomInvert,
                                    RandomGrayscale, RandomHue, RandomSaturation, RandomSharpness,
                                    RandomColorDegeneration, AugMix, CutMix, RandAugment: how much;
                                    of RandomPosterization: bits; of RandomErasing,
                                    RandomPerspective, RandomElasticTransform and
                                    RandomGaussianBlur: how probable */
    krt_numbers height_factor; /**< of RandomZoom, RandomTranslation */
    krt_numbers width_factor;  /**< likewise; of RandomZoom none: as high, so wide */
    krt_numbers x_factor;      /**< of RandomShear */
    krt_numbers y_factor;
    krt_numbers addition_factor; /**< of Solarization */
    krt_numbers threshold_factor;
    krt_numbers value_range;   /**< none: 0 to 255; of those that change colours */
    int64_t     height, width; /**< of RandomCrop, required */
    krt_numbers scale;         /**< of RandomErasing: shares of the image, none: 0.02 to 0.33; of
                                    RandomPerspective, RandomElasticTransform: how far, none: 1 */
    krt_numbers fill_values;   /**< fill_value of RandomErasing: one number, or one a channel; none:
                                    noise */
    krt_numbers kernel_size;   /**< of RandomGaussianBlur, odd; none: 3 */
    krt_numbers sigma;         /**< likewise; none: up to 1 */
    krt_numbers brightness_factor; /**< of RandomColorJitter; none: not changed */
    krt_numbers contrast_factor;
    krt_numbers saturation_factor;
    krt_numbers hue_factor;
    double      alpha;       /**< of MixUp and AugMix; KRT_NONE_F: 0.2 and 1 */
    int64_t     num_ops;     /**< 2, of RandAugment */
    int64_t     num_chains;  /**< 3, of AugMix */
    int64_t     chain_depth; /**< 3, likewise */
    bool        all_ops;     /**< true, likewise */
    int64_t     bins;        /**< 256, of Equalization */
    const char *mode; /**< of RandomFlip: "horizontal_and_vertical", "horizontal", "vertical" */
    const char *fill_mode;     /**< "reflect", "wrap", "constant", "nearest": beyond the edges */
    double      fill_value;    /**< 0, of "constant" */
    const char *interpolation; /**< "bilinear"; "nearest" */
    const char *data_format;   /**< NULL: "channels_last" */
    int64_t     seed;          /**< KRT_NONE: made of the context's and the name */
    const char *name;          /**< NULL: random_flip, random_flip_1, ... */
    bool        trainable;     /**< true */
} krt_augmentation_args;
/** What KRT_AUGMENTATION() leaves as it is where nothing else is said. */
#define KRT_AUGMENTATION_DEFAULTS                                                           \
    .mode = "horizontal_and_vertical", .fill_mode = "reflect", .interpolation = "bilinear", \
    .alpha = KRT_NONE_F, .num_ops = 2, .num_chains = 3, .chain_depth = 3, .all_ops = true,  \
    .bins = 256, .seed = KRT_NONE, .trainable = true
#define KRT_AUGMENTATION(cls, ...) \
    KRT_SPEC(krt_augmentation_args, cls, KRT_AUGMENTATION_DEFAULTS, __VA_ARGS__)

/** KRT_INTS(10, 20): a list of integers, for one argument. C only. */
#define KRT_INTS(...) \
    ((krt_ints){ sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ } })

/** Keras: keras.layers.StringLookup: strings to their numbers in a vocabulary, or back. The vocabulary is
 *  given, comes with a file, or is learned by krt_adapt(). */
typedef struct krt_string_lookup_args {
    krt_spec    spec;
    int64_t     max_tokens; /**< KRT_NONE: as many as come; else unknown ones and mask included */
    int64_t     num_oov_indices;   /**< 1: how many numbers unknown strings share */
    krt_numbers idf_weights;       /**< of output_mode "tf_idf" with a vocabulary, one a token */
    bool        invert;            /**< false; true makes strings of numbers */
    const char *output_mode;       /**< "int"; "one_hot", "multi_hot", "count", "tf_idf" */
    bool        pad_to_max_tokens; /**< false; true: as wide as max_tokens in the other modes */
    bool        sparse;            /**< false */
    const char *oov_method;        /**< "floormod"; strings are hashed in either case */
    int64_t     salt[2];         /**< {KRT_NONE}: FarmHash; {3} or {3, 4}: SipHash with this key */
    int64_t     vocabulary_size; /**< KRT_NONE: of the vocabulary */
    const char *mask_token;      /**< NULL: none; else the string that becomes 0 */
    const char *oov_token;       /**< "[UNK]" */
    krt_names   vocabulary;      /**< KRT_NAMES("a", "b"); none: learned, or of a file */
    const char *encoding;        /**< "utf-8" */
    const char *name;            /**< NULL: string_lookup, string_lookup_1, ... */
    bool        trainable;       /**< true */
} krt_string_lookup_args;
#define KRT_STRING_LOOKUP(...)                                                                     \
    KRT_SPEC(krt_string_lookup_args, "StringLookup", .max_tokens = KRT_NONE, .num_oov_indices = 1, \
             .output_mode = "int", .oov_method = "floormod", .salt = { KRT_NONE, KRT_NONE },       \
             .vocabulary_size = KRT_NONE, .oov_token = "[UNK]", .encoding = "utf-8",               \
             .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.IntegerLookup: the same for integers. */
typedef struct krt_integer_lookup_args {
    krt_spec    spec;
    int64_t     max_tokens;        /**< KRT_NONE */
    int64_t     num_oov_indices;   /**< 1 */
    krt_numbers idf_weights;       /**< of output_mode "tf_idf" with a vocabulary */
    bool        invert;            /**< false */
    const char *output_mode;       /**< "int"; "one_hot", "multi_hot", "count", "tf_idf" */
    bool        pad_to_max_tokens; /**< false */
    bool        sparse;            /**< false */
    const char *oov_method;        /**< "floormod": the remainder; "farmhash" */
    int64_t     salt[2];           /**< {KRT_NONE}; of "farmhash": a key for SipHash */
    int64_t     vocabulary_size;   /**< KRT_NONE: of the vocabulary */
    int64_t     mask_token;        /**< KRT_NONE: none */
    int64_t     oov_token;         /**< -1 */
    krt_ints    vocabulary;        /**< KRT_INTS(10, 20); none: learned, or of a file */
    const char *name;              /**< NULL: integer_lookup, integer_lookup_1, ... */
    bool        trainable;         /**< true */
} krt_integer_lookup_args;
#define KRT_INTEGER_LOOKUP(...)                                                                   \
    KRT_SPEC(krt_integer_lookup_args, "IntegerLookup", .max_tokens = KRT_NONE,                    \
             .num_oov_indices = 1, .output_mode = "int", .oov_method = "floormod",                \
             .salt = { KRT_NONE, KRT_NONE }, .vocabulary_size = KRT_NONE, .mask_token = KRT_NONE, \
             .oov_token = -1, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.TextVectorization: texts to the numbers of their words. Functions of one's own as
 *  `standardize` or `split` open and do not run. */
typedef struct krt_text_vectorization_args {
    krt_spec spec;
    int64_t  max_tokens; /**< KRT_NONE: as many as come; else unknown and padding included */
    const char
        *standardize;   /**< "lower_and_strip_punctuation"; "lower", "strip_punctuation", NULL */
    const char *split;  /**< "whitespace"; "character", NULL: not at all */
    krt_ints    ngrams; /**< none; KRT_INTS(1, 2): tokens and pairs of them, Keras's 2 */
    const char *output_mode;            /**< "int"; "multi_hot", "count", "tf_idf" */
    int64_t     output_sequence_length; /**< KRT_NONE: as long as the longest text of a batch */
    bool        pad_to_max_tokens; /**< false; true: as wide as max_tokens in the other modes */
    krt_names   vocabulary;        /**< KRT_NAMES("a", "b"); none: learned, or of a file */
    krt_numbers idf_weights;       /**< of output_mode "tf_idf" with a vocabulary */
    bool        sparse;            /**< false */
    bool        ragged;            /**< false */
    const char *encoding;          /**< "utf-8" */
    int64_t     vocabulary_size;   /**< KRT_NONE: of the vocabulary */
    const char *name;              /**< NULL: text_vectorization, text_vectorization_1, ... */
    bool        trainable;         /**< true */
} krt_text_vectorization_args;
#define KRT_TEXT_VECTORIZATION(...)                                                         \
    KRT_SPEC(krt_text_vectorization_args, "TextVectorization", .max_tokens = KRT_NONE,      \
             .standardize = "lower_and_strip_punctuation", .split = "whitespace",           \
             .output_mode = "int", .output_sequence_length = KRT_NONE, .encoding = "utf-8", \
             .vocabulary_size = KRT_NONE, .trainable = true, __VA_ARGS__)

/** Keras: keras.layers.Hashing: strings and integers into bins by their hash. */
typedef struct krt_hashing_args {
    krt_spec    spec;
    int64_t     num_bins;     /**< required */
    const char *mask_value;   /**< NULL: none; else the string that goes into bin 0 alone */
    int64_t     mask_integer; /**< KRT_NONE: none; the same for integers */
    int64_t     salt[2];      /**< {KRT_NONE}: FarmHash; {3} or {3, 4}: SipHash with this key */
    const char *output_mode;  /**< "int"; "one_hot", "multi_hot", "count" */
    bool        sparse;       /**< false */
    const char *name;         /**< NULL: hashing, hashing_1, ... */
    bool        trainable;    /**< true */
} krt_hashing_args;
#define KRT_HASHING(...)                                                              \
    KRT_SPEC(krt_hashing_args, "Hashing", .mask_integer = KRT_NONE,                   \
             .salt = { KRT_NONE, KRT_NONE }, .output_mode = "int", .trainable = true, \
             .num_bins = __VA_ARGS__)

/** Keras: keras.layers.HashedCrossing: two or more of them, joined, into bins. */
typedef struct krt_hashed_crossing_args {
    krt_spec    spec;
    int64_t     num_bins;    /**< required */
    const char *output_mode; /**< "int"; "one_hot" */
    bool        sparse;      /**< false */
    const char *name;        /**< NULL: hashed_crossing, hashed_crossing_1, ... */
    bool        trainable;   /**< true */
} krt_hashed_crossing_args;
#define KRT_HASHED_CROSSING(...)                                                                  \
    KRT_SPEC(krt_hashed_crossing_args, "HashedCrossing", .output_mode = "int", .trainable = true, \
             .num_bins = __VA_ARGS__)

#endif
