// SPDX-License-Identifier: GPL-2.0
/* A signal ends the workload in order, between two steps. */
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>
#include "workload.h"

volatile bool ending;

static void end(int signal)
{
	(void)signal;
	ending = true;
}

void end_on_signals(void)
{
	struct sigaction action = { .sa_handler = end };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* Ends early when a signal arrives. */
void pause_ms(unsigned int milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	nanosleep(&time, NULL);
}
