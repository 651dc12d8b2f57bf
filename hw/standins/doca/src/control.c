/* What tests and the lab do to the card: see standin.h. */

void standin_fail(const char *call, uint32_t after, uint32_t times, int error)
{
	pthread_mutex_lock(&lock);
	snprintf(card.failing, sizeof card.failing, "%s", call);
	card.fail_after = after, card.fail_times = *call ? times : 0, card.fail_with = (doca_error_t)error;
	pthread_mutex_unlock(&lock);
}

void standin_note(void)
{
	pthread_mutex_lock(&lock);
	card.noting = true;
	pthread_mutex_unlock(&lock);
}

const char *standin_noted(void) { return card.noted; }

void standin_counters(uint32_t every_ms)
{
	pthread_mutex_lock(&lock);
	card.every_ms = every_ms;
	pthread_mutex_unlock(&lock);
}

void standin_refresh(void)
{
	pthread_mutex_lock(&lock);
	card.epoch++;
	pthread_mutex_unlock(&lock);
}

void standin_pass(uint32_t seconds)
{
	pthread_mutex_lock(&lock);
	card.passed_ms += seconds * 1000ull;
	pthread_mutex_unlock(&lock);
}

void standin_pace(uint32_t completions)
{
	pthread_mutex_lock(&lock);
	card.pace = completions;
	pthread_mutex_unlock(&lock);
}

uint64_t standin_spent(void)
{
	static uint64_t first_ns, first_ticks;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec, now = ticks();
	pthread_mutex_lock(&lock);
	uint64_t spent = card.spent;
	pthread_mutex_unlock(&lock);
	if (first_ns == 0)
		first_ns = ns, first_ticks = now;
	return now == first_ticks ? 0 : (uint64_t)((double)spent * (double)(ns - first_ns) / (double)(now - first_ticks));
}

void standin_limit(uint32_t entries)
{
	pthread_mutex_lock(&lock);
	card.limit = entries;
	pthread_mutex_unlock(&lock);
}

uint32_t standin_entries(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = card.entries;
	pthread_mutex_unlock(&lock);
	return n;
}

uint32_t standin_objects(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = card.objects;
	pthread_mutex_unlock(&lock);
	return n;
}

const char *standin_misuse(void) { return card.misuse; }

void standin_representors(const char *const *devices, uint32_t n)
{
	pthread_mutex_lock(&lock);
	for (card.devices_n = 0; card.devices_n < n && card.devices_n < MAX_PORTS; card.devices_n++)
		snprintf(card.devices[card.devices_n], sizeof card.devices[0], "%s", devices[card.devices_n]);
	pthread_mutex_unlock(&lock);
}

const char *standin_probe(void) { return card.probe; }
const char *standin_mode(void) { return card.mode; }

void standin_reset(void)
{
	pthread_mutex_lock(&lock);
	uint32_t objects = card.objects;
	bool eal = card.eal;
	cpu_set_t core = card.core;
	int cores = card.cores;
	memset(&card, 0, sizeof card);
	card.objects = objects, card.eal = eal, card.core = core, card.cores = cores, card.limit = UINT32_MAX,
		card.every_ms = RELEASE >= 303 ? 1000 : 500;
	pthread_mutex_unlock(&lock);
}
