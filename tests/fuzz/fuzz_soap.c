/* F14: where the prefix matcher is sure, expat says the same; and what was said of a start holds for the whole. */
#include "core/base/check.h"
#include "proto/soap_readers.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct slice fast = {0}, slow = {0}, child = {0}, whole = slice_of(bytes, n);
	enum soap_guess guess = soap_read_prefix(whole, &fast);
	enum soap_look look = soap_read_xml(whole, &slow);
	CHECK(guess != SOAP_SURE_FOUND || (look == SOAP_FOUND && slice_equal(fast, slow)));
	CHECK(guess != SOAP_SURE_MORE || look == SOAP_MORE);
	CHECK(look != SOAP_FOUND || (slow.len && slow.at > bytes && slow.at + slow.len <= bytes + n));
	enum soap_look half = soap_first_child(bytes, n / 2, false, &child);
	CHECK(half == SOAP_MORE || n > SOAP_LOOK_BYTES || half == soap_first_child(bytes, n, false, &child));
	soap12_action(whole);
	return 0;
}
