package dev.vfio.migration.sandbox.apiserver.builtin;

import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.SchemaValidator;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The kinds that are there without any CustomResourceDefinition. */
public final class BuiltInTypes {
  private BuiltInTypes() {}

  /** All of them, in the order in which discovery names them. */
  public static List<ResourceType> all() {
    List<ResourceType> types = new ArrayList<>();
    types.add(
        cluster("", "v1", "namespaces", "Namespace")
            .shortNames("ns")
            .subresources("status")
            .build());
    types.add(cluster("", "v1", "nodes", "Node").shortNames("no").subresources("status").build());
    types.add(
        namespaced("", "v1", "pods", "Pod")
            .shortNames("po")
            .categories("all")
            .subresources("status")
            .build());
    types.add(namespaced("", "v1", "events", "Event").shortNames("ev").build());
    types.add(namespaced("", "v1", "configmaps", "ConfigMap").shortNames("cm").build());
    types.add(namespaced("", "v1", "secrets", "Secret").build());
    types.add(namespaced("", "v1", "serviceaccounts", "ServiceAccount").shortNames("sa").build());
    types.add(
        namespaced("", "v1", "services", "Service")
            .shortNames("svc")
            .categories("all")
            .subresources("status")
            .build());
    types.add(
        namespaced("apps", "v1", "deployments", "Deployment")
            .shortNames("deploy")
            .categories("all")
            .subresources("status")
            .build());
    types.add(
        namespaced("apps", "v1", "daemonsets", "DaemonSet")
            .shortNames("ds")
            .categories("all")
            .subresources("status")
            .build());
    types.add(namespaced("coordination.k8s.io", "v1", "leases", "Lease").build());
    types.add(namespaced("events.k8s.io", "v1", "events", "Event").shortNames("ev").build());
    types.add(
        cluster(
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
                "CustomResourceDefinition")
            .shortNames("crd", "crds")
            .categories("api-extensions")
            .subresources("status")
            .build());
    types.add(cluster("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole").build());
    types.add(
        cluster("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")
            .build());
    types.add(namespaced("rbac.authorization.k8s.io", "v1", "roles", "Role").build());
    types.add(namespaced("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding").build());
    types.add(
        review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"));
    types.add(review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"));
    types.add(review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"));
    return List.copyOf(types);
  }

  private static Declaration cluster(String group, String version, String plural, String kind) {
    return new Declaration(group, version, plural, kind, false, ResourceType.ALL_VERBS);
  }

  private static Declaration namespaced(String group, String version, String plural, String kind) {
    return new Declaration(group, version, plural, kind, true, ResourceType.ALL_VERBS);
  }

  private static ResourceType review(String group, String plural, String kind) {
    return new Declaration(group, "v1", plural, kind, false, List.of("create")).build();
  }

  /** Collects what is said of one kind. */
  private static final class Declaration {
    private final String group;
    private final String version;
    private final String plural;
    private final String kind;
    private final boolean namespaced;
    private final List<String> verbs;
    private List<String> shortNames = List.of();
    private List<String> categories = List.of();
    private Set<String> subresources = Set.of();

    private Declaration(
        String group,
        String version,
        String plural,
        String kind,
        boolean namespaced,
        List<String> verbs) {
      this.group = group;
      this.version = version;
      this.plural = plural;
      this.kind = kind;
      this.namespaced = namespaced;
      this.verbs = verbs;
    }

    private Declaration shortNames(String... names) {
      shortNames = List.of(names);
      return this;
    }

    private Declaration categories(String... names) {
      categories = List.of(names);
      return this;
    }

    private Declaration subresources(String... names) {
      subresources = Set.of(names);
      return this;
    }

    private ResourceType build() {
      Schema schema = Schema.ofObject(BuiltInSchemas.of(kind));
      return new ResourceType(
          group,
          version,
          new ResourceType.Names(
              plural, kind.toLowerCase(Locale.ROOT), kind, kind + "List", shortNames, categories),
          namespaced,
          // The two event groups are two views of one collection, stored as core events.
          plural,
          plural.equals("events") ? "v1" : group.isEmpty() ? version : group + "/" + version,
          subresources,
          verbs,
          schema,
          new SchemaValidator(schema),
          BuiltInColumns.of(kind),
          false);
    }
  }
}
