/* What metric_values.c gives to the table of metrics. */
#ifndef KRTI_TRAINING_METRIC_VALUES_H
#define KRTI_TRAINING_METRIC_VALUES_H

#include "training/score.h"

krt_value *krti_value_accuracy(krti_scoring *s);
krt_value *krti_value_binary_accuracy(krti_scoring *s);
krt_value *krti_value_categorical_accuracy(krti_scoring *s);
krt_value *krti_value_sparse_categorical_accuracy(krti_scoring *s);
krt_value *krti_value_top_k(krti_scoring *s);
krt_value *krti_value_sparse_top_k(krti_scoring *s);
krt_value *krti_value_squared_error(krti_scoring *s);
krt_value *krti_value_pearson(krti_scoring *s);
krt_value *krti_value_concordance(krti_scoring *s);

#endif
