/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Plain lines are read without libfyaml: to the same tree, or left to it.
 */

#include <stdint.h>
#include <stdlib.h>
#include "../unit/same_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!same_reading((const char *)data, size))
		abort();
	return 0;
}
