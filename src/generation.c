/* SPDX-License-Identifier: ISC */
/* generation: a counted pair. */
#include "generation.h"

#include <stdlib.h>

struct generation *
generation_new(struct config *config, struct upstreams *upstreams)
{
	struct generation *generation = mem_alloc(sizeof(*generation));

	generation->config = config_ref(config);
	generation->upstreams = upstreams;
	generation->uses = 1;
	return generation;
}

void
generation_leave(struct generation *generation)
{
	if (generation == NULL || --generation->uses > 0)
		return;
	upstreams_free(generation->upstreams);
	if (generation->let_go != NULL)
		generation->let_go(generation->arg, generation->config);
	else
		config_unref(generation->config);
	free(generation);
}
