/* prices.json, as it is carried in the binary. Only for prices.c. */
#ifndef SLUICE_LLM_PRICES_FILE_H
#define SLUICE_LLM_PRICES_FILE_H

extern const unsigned char prices_file[];
extern const unsigned long prices_file_len;

#endif
