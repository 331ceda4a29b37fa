/* Learning rates by step against real Keras. */
#include "training/update.h"
#include "training_testing.h"
#include <keratin/keratin.h>

TEST(every_schedule_gives_keras_rates)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *rows = read_fixture(t, &a, "schedules.json");
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_TRUE(krti_conf_num(rows) > 10);
    for (size_t i = 0; i < krti_conf_num(rows); i++) {
        const krti_conf *row = krti_conf_at(rows, i), *rates = krti_conf_get(row, "rates");
        void *schedule = NULL;

        ASSERT_OK(krti_schedule_read(m, &a, krti_conf_get(row, "object"), &schedule));
        for (size_t step = 0; step < krti_conf_num(rates); step++) {
            const float expected = (float)number(krti_conf_at(rates, step));
            const float found = krti_schedule_at(schedule, (int64_t)step);

            ASSERT_NEAR(&expected, &found, 1, 1e-6, 1e-8);
        }
    }
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(every_schedule_gives_keras_rates));
}
