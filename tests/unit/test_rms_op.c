/* F01, F02, F05: which paths are served, in any case, and which operations each takes. */
#include "core/base/check.h"
#include "proto/rms_op.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DRM "http://microsoft.com/DRM/"

static const struct {
	const char *path, *name;
	uint32_t ops;
} served[] = {
        {"/_wmcs/certification/servercertification.asmx", "ServerCertificationWebService", 1u << OP_CERTIFY},
        {"/_wmcs/certification/certification.asmx", "CertificationWebService", 1u << OP_CERTIFY},
        {"/_wmcs/certification/server.asmx", "Server",
         1u << OP_GET_LICENSOR_CERTIFICATE | 1u << OP_GET_SERVER_INFO | 1u << OP_FIND_SERVICE_LOCATIONS},
        {"/_wmcs/certification/servicelocator.asmx", "ServiceLocator", 1u << OP_FIND_SERVICE_LOCATIONS_FOR_USER},
        {"/_wmcs/licensing/license.asmx", "License", 1u << OP_ACQUIRE_LICENSE | 1u << OP_ACQUIRE_PRELICENSE},
        {"/_wmcs/licensing/publish.asmx", "Publish",
         1u << OP_GET_CLIENT_LICENSOR_CERT | 1u << OP_ACQUIRE_ISSUANCE_LICENSE},
        {"/_wmcs/licensing/templatedistribution.asmx", "TemplateDistributionWebService",
         1u << OP_ACQUIRE_TEMPLATE_INFORMATION | 1u << OP_ACQUIRE_TEMPLATES},
        {"/_wmcs/licensing/server.asmx", "Server",
         1u << OP_GET_LICENSOR_CERTIFICATE | 1u << OP_GET_SERVER_INFO | 1u << OP_FIND_SERVICE_LOCATIONS},
        {"/_wmcs/licensing/servicelocator.asmx", "ServiceLocator", 1u << OP_FIND_SERVICE_LOCATIONS_FOR_USER},
};

static const char *const not_served[] = {
        "",
        "/",
        "*",
        "/_wmcs",
        "/_wmcs/licensing",
        "/_wmcs/licensing/",
        "/_wmcs/licensing/license.asmx/",
        "/_wmcs/licensing/license.asmx/mex",
        "/_wmcs/licensing/license.asm",
        "/_wmcs/licensing/license.asmxx",
        "/_wmcs/licensing/./license.asmx",
        "/_wmcs/licensing/../licensing/license.asmx",
        "//_wmcs/licensing/license.asmx",
        "/_wmcs//licensing/license.asmx",
        "/_wmcs\\licensing\\license.asmx",
        "/_wmcs/licensing/%6cicense.asmx",
        "/_wmcs/licensing/license.asmx;a",
        "/_wmcs/licensing/license.asmx ",
        "_wmcs/licensing/license.asmx",
        "/app/_wmcs/licensing/license.asmx",
        "/_wmcs/licensing/certification.asmx",
        "/_wmcs/certification/license.asmx",
        "/_wmcs/certification/activation.asmx",
        "/_wmcs/certification/mobilecertification.asmx",
        "/_wmcs/certification/precertification.asmx",
        "/_wmcs/certification/subenrollservice.asmx",
        "/_wmcs/licensing/editissuancelicense.asmx",
        "/_wmcs/decommission/decommission.asmx",
        "/_wmcs/groupexpansion/groupexpansion.asmx",
        "/_wmcs/drmremote/directoryservices/directoryservices.rem",
        "/_wmcs/certificationexternal/certification.asmx",
        "/_wmcs/licensingexternal/license.asmx",
        "/_wmcs/admin/role.asmx",
        "/_wmcs/enrollment/enroll.asmx",
        "/_wmcs/licensing/server.svc",
        "/_wmcs/oauth2/certification/servicelocator.asmx",
        "/my/v2/templates",
};

static void every_service_is_found_in_any_case(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(served); i++) {
		char path[128];
		const struct rms_service *s = rms_service_find(slice_str(served[i].path));
		assert_non_null(s);
		assert_true(slice_equal(s->path, slice_str(served[i].path)));
		assert_true(slice_equal(s->name, slice_str(served[i].name)));
		assert_int_equal(s->ops, served[i].ops);
		assert_true(s->relayed);
		strcpy(path, served[i].path);
		for (size_t at = 0; path[at]; at++) {
			path[at] = (char)toupper(path[at]);
			assert_ptr_equal(rms_service_find(slice_str(path)), s);
		}
	}
}

static void other_paths_are_not_served(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(not_served); i++)
		if (rms_service_find(slice_str(not_served[i])))
			fail_msg("%s is served", not_served[i]);
}

static void each_service_takes_its_own_operations_only(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(served); i++) {
		const struct rms_service *s = rms_service_find(slice_str(served[i].path));
		for (enum rms_op_id id = 0; id < OP_NONE; id++) {
			const struct rms_op *want = s->ops >> id & 1 ? &rms_ops[id] : NULL;
			char quoted[128];
			int n = sprintf(quoted, " \"%.*s\" ", SLICE_ARG(rms_ops[id].action));
			assert_ptr_equal(rms_op_by_action(s, rms_ops[id].action), want);
			assert_ptr_equal(rms_op_by_action(s, slice_of(quoted, (size_t)n)), want);
			assert_ptr_equal(rms_op_by_element(s, rms_ops[id].name), want);
		}
	}
}

static void actions_are_compared_to_the_letter(void **state)
{
	static const char *const wrong[] = {
	        "",
	        "\"\"",
	        "\"",
	        "AcquireLicense",
	        DRM "LicensingService/acquirelicense",
	        DRM "LicensingService/AcquireLicense/",
	        DRM "LicensingService/AcquireLicens",
	        DRM "LicensingService/AcquireLicenses",
	        DRM "PublishingService/AcquireLicense",
	        "\"" DRM "LicensingService/AcquireLicense",
	        DRM "LicensingService/AcquireLicense\"",
	        "'" DRM "LicensingService/AcquireLicense'",
	        "\"\"" DRM "LicensingService/AcquireLicense\"\"",
	        "\" " DRM "LicensingService/AcquireLicense\"",
	        "https://microsoft.com/DRM/LicensingService/AcquireLicense",
	};
	const struct rms_service *s = rms_service_find(SLICE("/_wmcs/licensing/license.asmx"));
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		if (rms_op_by_action(s, slice_str(wrong[i])))
			fail_msg("%s is an operation", wrong[i]);
	assert_null(rms_op_by_element(s, SLICE("acquireLicense")));
	assert_null(rms_op_by_element(s, SLICE("")));
	assert_null(rms_op_by_element(s, SLICE("none")));
}

static void the_locator_takes_both_namespaces(void **state)
{
	const struct rms_service *s = rms_service_find(SLICE("/_wmcs/licensing/servicelocator.asmx"));
	const struct rms_service *other = rms_service_find(SLICE("/_wmcs/licensing/server.asmx"));
	const struct rms_op *op = &rms_ops[OP_FIND_SERVICE_LOCATIONS_FOR_USER];
	struct slice old = SLICE("\"" DRM "ServerService/FindServiceLocationsForUser\"");
	assert_ptr_equal(rms_op_by_action(s, SLICE(DRM "ServiceLocatorService/FindServiceLocationsForUser")), op);
	assert_ptr_equal(rms_op_by_action(s, old), op);
	assert_null(rms_op_by_action(other, old));
}

static void every_operation_is_described(void **state)
{
	for (enum rms_op_id id = 0; id < OP_COUNT; id++) {
		const struct rms_op *op = &rms_ops[id];
		assert_int_equal(op->id, id);
		assert_true(op->name.len && op->metric && op->first_byte_tenths >= 10);
		for (const char *p = op->metric; *p; p++)
			assert_true(islower(*p) || *p == '_');
	}
	/* The name without its capitals is the metric without its underscores. */
	for (enum rms_op_id id = 0; id < OP_NONE; id++) {
		char flat[64] = "";
		for (const char *p = rms_ops[id].metric; *p; p++)
			if (*p != '_')
				strncat(flat, p, 1);
		assert_true(slice_equal_nocase(rms_ops[id].name, slice_str(flat)));
	}
}

static void only_reading_operations_may_be_sent_again(void **state)
{
	uint32_t safe = 0;
	for (enum rms_op_id id = 0; id < OP_COUNT; id++)
		safe |= (uint32_t)rms_ops[id].retry_safe << id;
	assert_int_equal(safe, 1u << OP_ACQUIRE_TEMPLATE_INFORMATION | 1u << OP_ACQUIRE_TEMPLATES |
	                               1u << OP_GET_LICENSOR_CERTIFICATE | 1u << OP_GET_SERVER_INFO |
	                               1u << OP_FIND_SERVICE_LOCATIONS | 1u << OP_FIND_SERVICE_LOCATIONS_FOR_USER);
	assert_int_equal(rms_ops[OP_ACQUIRE_PRELICENSE].first_byte_tenths, 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_service_is_found_in_any_case),
	        cmocka_unit_test(other_paths_are_not_served),
	        cmocka_unit_test(each_service_takes_its_own_operations_only),
	        cmocka_unit_test(actions_are_compared_to_the_letter),
	        cmocka_unit_test(the_locator_takes_both_namespaces),
	        cmocka_unit_test(every_operation_is_described),
	        cmocka_unit_test(only_reading_operations_may_be_sent_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
