/* Texts and stored vectors, as anybody may have left them: words are words, codes are read within
 * their bytes, and arrays are what they say. */
#include <string.h>

#include "fuzz.h"
#include "store/pg_array.h"
#include "store/rules.h"

static void see_words(struct str text)
{
    struct memory_question question;
    struct buf out;
    struct words w;

    for (int of = WORDS_OF_TEXT; of <= WORDS_OF_QUESTION; of++) {
        words_init(&w, text, (enum words_of)of);
        while (words_next(&w)) {
            FUZZ_CHECK(w.word.n > 0 && w.word.n <= WORD_MAX);
            for (size_t i = 0; i < w.word.n; i++)
                FUZZ_CHECK((unsigned char)w.word.p[i] >= 0x80 ||
                           (w.word.p[i] >= '0' && w.word.p[i] <= '9') ||
                           (w.word.p[i] >= 'a' && w.word.p[i] <= 'z'));
        }
    }
    buf_init(&out, 8 * WORDS_TEXT_MAX);
    words_write(&out, text);
    FUZZ_CHECK(buf_error(&out) == 0);
    buf_deinit(&out);
    rules_question_init(&question, text);
    double score = rules_question_score(&question, text);
    FUZZ_CHECK(question.count == 0 || (score > 0 && score <= 1));
}

static void see_vectors(const uint8_t *data, size_t size)
{
    static struct vector_question question;
    static float v[MEMORY_DIMENSIONS_MAX];
    static uint8_t code[VECTOR_CODE_MAX];
    unsigned n = (unsigned)(size / sizeof(float));
    float near = 0, error = 0;

    if (n == 0 || n > MEMORY_DIMENSIONS_MAX)
        return;
    memcpy(v, data, n * sizeof(float));
    double self = rules_vector_score(v, v, n);
    FUZZ_CHECK(self >= 0 && self <= 1);
    size_t bytes = vector_code_write(code, v, n);
    vector_question_init(&question, v, n);
    FUZZ_CHECK(vector_code_near(&question, (struct str){(char *)code, bytes}, &near, &error));
    FUZZ_CHECK((double)near + (double)error >= self - 1e-3 || self == 0);
    question.dimensions = size > 8 && size - 8 <= MEMORY_DIMENSIONS_MAX ? (unsigned)(size - 8) : 1;
    vector_code_near(&question, (struct str){(const char *)data, size}, &near, &error);
    pg_floats_read((struct str){(const char *)data, size}, v,
                   size > 20 ? (unsigned)(size - 20) / 8 : 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    see_words((struct str){(const char *)data, size});
    see_vectors(data, size);
    return 0;
}
