/* The pure parts of vectors: the wire's JSON, and the demo provider's words. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/llm.h"
#include "llm/vector.h"

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void test_normalise(void **state)
{
    float v[2] = {3, 4}, zero[2] = {0, 0}, nan[2] = {1, NAN}, inf[2] = {INFINITY, 1};
    (void)state;
    assert_true(vector_normalise(v, 2));
    assert_float_equal(v[0], 0.6f, 1e-6f);
    assert_float_equal(v[1], 0.8f, 1e-6f);
    assert_false(vector_normalise(zero, 2));
    assert_false(vector_normalise(nan, 2));
    assert_false(vector_normalise(inf, 2));
}

static void test_encode(void **state)
{
    struct str texts[] = {STR("a \"b\""), STR("\xE4\xBD\xA0")};
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(openai_embed_encode(texts, 2, "m", 0, &out, NULL), 0);
    assert_str(buf_str(&out), "{\"model\":\"m\",\"input\":[\"a \\\"b\\\"\",\"\xE4\xBD\xA0\"]}");
    buf_clear(&out);
    assert_int_equal(openai_embed_encode(texts, 1, NULL, 256, &out, NULL), 0);
    assert_str(buf_str(&out), "{\"input\":[\"a \\\"b\\\"\"],\"dimensions\":256}");
    buf_deinit(&out);
    buf_init(&out, 10);
    assert_int_equal(openai_embed_encode(texts, 1, "m", 0, &out, NULL), ERR_TOO_LARGE);
    buf_deinit(&out);
}

/* Two texts. */
static void test_decode(void **state)
{
    static const char *const answers[] = {
        "{\"object\":\"list\",\"model\":\"m-7\",\"usage\":{\"prompt_tokens\":5},\"data\":["
        "{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[0,-2.5e0]}]}",
        /* the other way round */
        "{\"model\":\"m-7\",\"usage\":{\"total_tokens\":5},\"data\":["
        "{\"embedding\":[0,-1],\"index\":1},{\"embedding\":[0.6,0.8],\"index\":0}]}",
        /* without indexes */
        "{\"model\":\"m-7\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":9},\"data\":["
        "{\"embedding\":[6,8]},{\"embedding\":[0,-1]}]}",
        /* little-endian floats 3, 4 and 0, -1 in base64 */
        "{\"model\":\"m-7\",\"usage\":{\"prompt_tokens\":5},\"data\":["
        "{\"index\":0,\"embedding\":\"AABAQAAAgEA=\"},{\"index\":1,\"embedding\":"
        "\"AAAAAAAAgL8\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < ROWS(answers); i++) {
        struct openai_vectors v = {.count = 2};
        struct errbuf e = {""};
        if (openai_embed_decode(str_of(answers[i]), &v, &e))
            fail_msg("%s: %s", answers[i], e.text);
        assert_int_equal(v.dimensions, 2);
        assert_float_equal(v.values[0], 0.6f, 1e-6f);
        assert_float_equal(v.values[1], 0.8f, 1e-6f);
        assert_float_equal(v.values[2], 0, 1e-6f);
        assert_float_equal(v.values[3], -1, 1e-6f);
        assert_string_equal(v.model, "m-7");
        assert_int_equal(v.tokens, 5);
        free(v.values);
    }
}

static void test_decode_refuses(void **state)
{
    static const struct {
        const char *answer;
        int rc;
        const char *says;
    } rows[] = {
        {"", ERR_INVALID, ""},
        {"[]", ERR_INVALID, "data: not there"},
        {"{\"data\":{}}", ERR_INVALID, "data: not there, or not a list"},
        {"{\"error\":{\"message\":\"no such model\"}}", ERR_UPSTREAM, "no such model"},
        {"{\"data\":[{\"embedding\":[1,0]}]}", ERR_INVALID, "1 vectors for 2 texts"},
        {"{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[1]}]}", ERR_INVALID,
         "data[1].embedding: 1 numbers, but 2 are wanted"},
        {"{\"data\":[{\"index\":1,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[1,0]}]}",
         ERR_INVALID, "data[1].index: not one of 2, or there twice"},
        {"{\"data\":[{\"index\":2,\"embedding\":[1,0]}]}", ERR_INVALID, "data[0].index"},
        {"{\"data\":[{\"index\":-1,\"embedding\":[1,0]}]}", ERR_INVALID, "data[0].index"},
        {"{\"data\":[{\"embedding\":[0,0]},{\"embedding\":[1,0]}]}", ERR_INVALID,
         "data[0].embedding: a vector without a direction"},
        {"{\"data\":[{\"embedding\":[1e300,0]},{\"embedding\":[1,0]}]}", ERR_INVALID,
         "without a direction"},
        {"{\"data\":[{\"embedding\":[]}]}", ERR_INVALID, "not a list of numbers"},
        {"{\"data\":[{\"embedding\":[1,\"x\"]}]}", ERR_INVALID, "not a list of numbers"},
        {"{\"data\":[{\"embedding\":null}]}", ERR_INVALID, "not a list of numbers"},
        {"{\"data\":[{\"embedding\":\"AABAQAA\"}]}", ERR_INVALID, "not a list of numbers"},
        {"{\"data\":[{\"embedding\":\"AAB*QA==\"}]}", ERR_INVALID, "not a list of numbers"},
        {"{\"data\":[{\"embedding\":\"AADAfwAAgD8=\"},{\"embedding\":[1,0]}]}", ERR_INVALID,
         "without a direction"}, /* a NaN */
        {"{\"data\":[7,8]}", ERR_INVALID, "not a list of numbers"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct openai_vectors v = {.count = 2};
        struct errbuf e = {""};
        int rc = openai_embed_decode(str_of(rows[i].answer), &v, &e);
        if (rc != rows[i].rc || !strstr(e.text, rows[i].says))
            fail_msg("%s: %d \"%s\"", rows[i].answer, rc, e.text);
        assert_null(v.values);
    }
}

static void test_decode_many_numbers(void **state)
{
    struct buf b;
    struct errbuf e;
    (void)state;
    for (size_t n = LLM_EMBED_DIMENSIONS_MAX; n <= LLM_EMBED_DIMENSIONS_MAX + 1; n++) {
        struct openai_vectors v = {.count = 1};
        buf_init(&b, 1u << 20);
        buf_append_z(&b, "{\"data\":[{\"embedding\":[");
        for (size_t i = 0; i < n; i++)
            buf_append_z(&b, i ? ",1" : "1");
        buf_append_z(&b, "]}]}");
        int rc = openai_embed_decode(buf_str(&b), &v, &e);
        assert_int_equal(rc, n > LLM_EMBED_DIMENSIONS_MAX ? ERR_INVALID : 0);
        if (rc == 0)
            assert_float_equal(v.values[0], 1.0f / 64, 1e-6f);
        free(v.values);
        buf_deinit(&b);
    }
}

/* ---- The demo provider ---- */

static void test_demo_similar_texts_are_near(void **state)
{
    /* The first is nearer to the second than to the third. */
    static const char *const rows[][3] = {
        {"The launch date of the product is in March",
         "When is the product launched? In March or April?",
         "Cats sleep for most of the day and hunt at night"},
        {"Payment fails when the card is expired", "expired cards make payments fail",
         "The design of the new logo is blue"},
        {"\xE6\x88\x91\xE4\xBB\xAC\xE7\x9A\x84\xE4\xBA\xA7\xE5\x93\x81\xE4\xBB\xB7\xE6\xA0\xBC\xE5"
         "\xA4\xAA\xE9\xAB\x98", /* our product's price is too high */
         "\xE4\xBA\xA7\xE5\x93\x81\xE4\xBB\xB7\xE6\xA0\xBC\xE6\x98\xAF\xE5\xA4\x9A\xE5\xB0\x91",
         /* what is the product's price */
         "\xE4\xBB\x8A\xE5\xA4\xA9\xE5\xA4\xA9\xE6\xB0\x94\xE5\xBE\x88\xE5\xA5\xBD"},
        /* the weather is good today */
        {"GROWTH Rate", "the growth rate, again", "\xE5\x8C\x97\xE4\xBA\xAC"},
        {"R\xC3\xA9sum\xC3\xA9 of the caf\xC3\xA9", "caf\xC3\xA9", "cave"},
    };
    float v[3][DEMO_DIMENSIONS];
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        for (size_t k = 0; k < 3; k++) {
            assert_true(demo_embed(str_of(rows[i][k]), v[k], DEMO_DIMENSIONS) > 0);
            assert_float_equal((float)dot(v[k], v[k], DEMO_DIMENSIONS), 1, 1e-5f);
        }
        double near = dot(v[0], v[1], DEMO_DIMENSIONS), far = dot(v[0], v[2], DEMO_DIMENSIONS);
        if (near < far + 0.15)
            fail_msg("row %zu: %f is not above %f", i, near, far);
    }
}

static void test_demo_is_the_same_everywhere(void **state)
{
    float a[8], b[8];
    (void)state;
    assert_int_equal(demo_embed(STR("One text, two words"), a, 8), 4);
    assert_int_equal(demo_embed(STR("one TEXT  two words!"), b, 8), 4);
    assert_memory_equal(a, b, sizeof(a));
}

/* No word, no text, cut characters, one very long word: all have a direction. */
static void test_demo_of_anything(void **state)
{
    static const char *const texts[] = {"", "!", "?!", " \n", "\xE4\xBD", "\xFF\xFE", "a"};
    char word[1000];
    float v[DEMO_DIMENSIONS];
    (void)state;
    for (size_t i = 0; i < ROWS(texts); i++) {
        demo_embed(str_of(texts[i]), v, DEMO_DIMENSIONS);
        assert_float_equal((float)dot(v, v, DEMO_DIMENSIONS), 1, 1e-5f);
    }
    memset(word, 'x', sizeof(word));
    for (unsigned n = 1; n <= DEMO_DIMENSIONS; n += 7) {
        assert_int_equal(demo_embed((struct str){word, sizeof(word)}, v, n), 1);
        assert_float_equal((float)dot(v, v, n), 1, 1e-5f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_decode_many_numbers),
        cmocka_unit_test(test_demo_similar_texts_are_near),
        cmocka_unit_test(test_demo_is_the_same_everywhere),
        cmocka_unit_test(test_demo_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
