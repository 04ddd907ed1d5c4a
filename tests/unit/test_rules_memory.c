/* What all stores share about memories: words, weights, codes of vectors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/rules.h"
#include "unit.h"

static void texts_have_words(void **state)
{
    static const struct {
        const char *text, *words;
    } table[] = {
        {"The launch, the LAUNCH!", "the launch"},
        {"", ""},
        {"  ... --- !!", ""},
        {"\xc3\x84pfel \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
         "\xc3\xa4pfel \xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
        {"\xe4\xb8\x8a\xe6\xb5\xb7", "\xe4\xb8\x8a \xe4\xb8\x8a\xe6\xb5\xb7 \xe6\xb5\xb7"},
        {"GPT-4 \xe4\xb8\x8a", "gpt 4 \xe4\xb8\x8a"},
        {"don't \"quote\" 'this'", "don t quote this"},
        {"a\xff"
         "b",
         "a b"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(table); i++) {
        struct buf out;
        buf_init(&out, 1000);
        words_write(&out, str_of(table[i].text));
        if (!str_eqz(buf_str(&out), table[i].words))
            fail_msg("\"%s\": \"%.*s\"", table[i].text, (int)out.len, out.data ? out.data : "");
        buf_deinit(&out);
    }
}

static void rare_words_count_more(void **state)
{
    static const int64_t found[] = {900, 900}, other[] = {900, 2};
    struct memory_question q;
    struct memory_plan plan;

    (void)state;
    rules_question_init(&q, STR("alpha beta alpha"));
    assert_int_equal(q.count, 2);
    int beta = strcmp(q.words[0], "beta") == 0 ? 0 : 1;
    double same = rules_question_score(&q, STR("beta"));
    assert_true(same > 0.4 && same < 0.5);
    assert_true(rules_question_score(&q, STR("gamma")) < 0);
    assert_true(rules_question_score(&q, STR("beta alpha")) > 0.8);
    int64_t counts[2] = {beta ? other[0] : other[1], beta ? other[1] : other[0]};
    rules_question_weigh(&q, counts, 1000);
    assert_true(rules_question_score(&q, STR("beta")) > 0.6);
    assert_true(rules_question_score(&q, STR("alpha")) < 0.25);
    rules_question_plan(&plan, &q, counts);
    assert_true(plan.any_count == 2 && plan.picks[0].word == beta && plan.all_count == 0);
    rules_question_plan(&plan, &q, found);
    assert_true(plan.any_count == 1);
    int64_t common[2] = {RULES_COMMON, RULES_COMMON};
    rules_question_plan(&plan, &q, common);
    assert_true(plan.any_count == 1 && plan.all_count == 2);
}

/* What a code says is never further off than it says. */
static void codes_know_their_error(void **state)
{
    static float a[MEMORY_DIMENSIONS_MAX], b[MEMORY_DIMENSIONS_MAX];
    static struct vector_question q;
    static uint8_t code[VECTOR_CODE_MAX];
    static const unsigned sizes[] = {1, 2, 3, 31, 33, 384, 1536, 4095, MEMORY_DIMENSIONS_MAX};

    (void)state;
    srand(7);
    for (size_t i = 0; i < ROWS(sizes); i++) {
        for (int shape = 0; shape < 20; shape++) {
            for (unsigned d = 0; d < sizes[i]; d++) {
                a[d] = (float)(rand() % 2001 - 1000) * (shape % 3 && d % 7 ? 0.001f : 1.0f);
                b[d] = shape % 2 ? a[d] + (float)(rand() % 201 - 100) : (float)(rand() % 2001);
            }
            double dot = 0, aa = 0, bb = 0;
            for (unsigned d = 0; d < sizes[i]; d++) {
                dot += (double)a[d] * (double)b[d];
                aa += (double)a[d] * (double)a[d];
                bb += (double)b[d] * (double)b[d];
            }
            float near, error;
            size_t n = vector_code_write(code, a, sizes[i]);
            vector_question_init(&q, b, sizes[i]);
            assert_true(vector_code_near(&q, (struct str){(char *)code, n}, &near, &error));
            double cosine = aa > 0 && bb > 0 ? dot / sqrt(aa * bb) : 0;
            assert_true(fabs((double)near - cosine) <= (double)error && error < 0.3f);
            assert_false(vector_code_near(&q, (struct str){(char *)code, n - 1}, &near, &error));
        }
    }
    static const float strange[][3] = {
        {NAN, 1, 0}, {INFINITY, 1, 0}, {-INFINITY, NAN, 2}, {0, 0, 0}};
    for (size_t i = 0; i < ROWS(strange); i++) { /* as good as none */
        float near, error;
        size_t n = vector_code_write(code, strange[i], 3);
        vector_question_init(&q, strange[i], 3);
        assert_true(vector_code_near(&q, (struct str){(char *)code, n}, &near, &error));
        assert_true(near <= 0 && near >= 0);
    }
}

static void the_wanted_are_settled(void **state)
{
    struct vector_pool p;
    double truth[3000];
    float error = 0.05f;

    (void)state;
    srand(9);
    vector_pool_init(&p, 20);
    for (int i = 0; i < 3000; i++) {
        truth[i] = (double)(rand() % 100000) / 100000;
        double off = ((double)(rand() % 1000) / 1000 - 0.5) * 2 * (double)error;
        vector_pool_add(&p, i, (float)(truth[i] + off), error + 1e-5f);
    }
    vector_pool_sort(&p);
    while (!vector_pool_is_done(&p))
        vector_pool_settle(&p, truth[p.rows[p.settled].key]);
    assert_true(p.settled < 600); /* far from all */
    vector_pool_finish(&p);
    assert_int_equal(p.count, 20);
    for (int i = 0; i < 3000; i++) {
        bool kept = false;
        for (size_t n = 0; n < p.count; n++)
            kept = kept || p.rows[n].key == i;
        assert_true(kept || truth[i] <= p.rows[19].score);
    }
    vector_pool_deinit(&p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_words),
        cmocka_unit_test(rare_words_count_more),
        cmocka_unit_test(codes_know_their_error),
        cmocka_unit_test(the_wanted_are_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
