#include "proto/rms_op.h"
#include "core/base/check.h"

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* The ids in lower case, which the preprocessor cannot make: a new row without its name here does not compile. */
#define METRIC_CERTIFY                         "certify"
#define METRIC_ACQUIRE_LICENSE                 "acquire_license"
#define METRIC_ACQUIRE_PRELICENSE              "acquire_prelicense"
#define METRIC_GET_CLIENT_LICENSOR_CERT        "get_client_licensor_cert"
#define METRIC_ACQUIRE_ISSUANCE_LICENSE        "acquire_issuance_license"
#define METRIC_ACQUIRE_TEMPLATE_INFORMATION    "acquire_template_information"
#define METRIC_ACQUIRE_TEMPLATES               "acquire_templates"
#define METRIC_GET_LICENSOR_CERTIFICATE        "get_licensor_certificate"
#define METRIC_GET_SERVER_INFO                 "get_server_info"
#define METRIC_FIND_SERVICE_LOCATIONS          "find_service_locations"
#define METRIC_FIND_SERVICE_LOCATIONS_FOR_USER "find_service_locations_for_user"

const struct rms_op rms_ops[OP_COUNT] = {
#define RMS_OP(id, name, namespace, cache, retry, first_byte, family)      \
	[OP_##id] = {OP_##id,                                              \
	             TEXT(name),                                           \
	             TEXT("http://microsoft.com/DRM/" namespace "/" name), \
	             (retry) == RETRY_SAFE,                                \
	             cache,                                                \
	             first_byte,                                           \
	             METRIC_##id},
#include "proto/rms_ops.def"
        [OP_NONE] = {OP_NONE, TEXT("none"), TEXT(""), false, CACHE_NEVER, 10, "none"},
};

#define SERVICE_BASE "/_wmcs/"
#define OP(id)       (1u << OP_##id)
_Static_assert(OP_COUNT <= 32, "sets of operations are 32 bits");

static const struct rms_service services[] = {
#define RMS_SERVICE(path, name, ops) {TEXT(SERVICE_BASE path), TEXT(name), ops, true},
#include "proto/rms_services.def"
#undef RMS_SERVICE
};

/* The web server that callers were written for compares paths without regard to case. */
const struct rms_service *rms_service_find(struct slice path)
{
	for (size_t i = 0; i < ARRAY_COUNT(services); i++)
		if (slice_equal_nocase(services[i].path, path))
			return &services[i];
	return NULL;
}

const struct rms_service *rms_service_of(enum rms_op_id op)
{
	for (size_t i = 0; i < ARRAY_COUNT(services); i++)
		if (services[i].ops & 1u << op)
			return &services[i];
	return NULL;
}

static const struct rms_op *op_of(const struct rms_service *s, struct slice text, bool is_action)
{
	for (uint32_t ops = s->ops; ops; ops &= ops - 1) {
		const struct rms_op *op = &rms_ops[__builtin_ctz(ops)];
		if (slice_equal(is_action ? op->action : op->name, text))
			return op;
	}
	return NULL;
}

const struct rms_op *rms_op_by_action(const struct rms_service *s, struct slice action)
{
	action = slice_trim(action);
	if (action.len >= 2 && action.at[0] == '"' && action.at[action.len - 1] == '"')
		action = slice_of(action.at + 1, action.len - 2);
	/* The published description of this operation names one namespace, the service that runs takes the other. */
	if ((s->ops & OP(FIND_SERVICE_LOCATIONS_FOR_USER)) &&
	    slice_equal(action, SLICE("http://microsoft.com/DRM/ServerService/FindServiceLocationsForUser")))
		return &rms_ops[OP_FIND_SERVICE_LOCATIONS_FOR_USER];
	return op_of(s, action, true);
}

const struct rms_op *rms_op_by_element(const struct rms_service *s, struct slice local_name)
{
	return op_of(s, local_name, false);
}
