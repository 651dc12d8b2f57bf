package hpa

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	informers "k8s.io/client-go/informers/autoscaling/v2"
	coreinformers "k8s.io/client-go/informers/core/v1"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

const namespace = "default"

// pods are a deployment's. A lister of theirs is what the autoscaler sees of the cluster's pods.
type pods struct{ store cache.Indexer }

func newPods() pods {
	return pods{cache.NewIndexer(cache.MetaNamespaceKeyFunc,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
}

func (p pods) lister() corelisters.PodLister { return corelisters.NewPodLister(p.store) }

var podLabels = labels.Set{"app": "x"}

// meta is what a pod of the deployment is called.
func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: podLabels}
}

// pipeline answers what the metrics pipeline would: the resource cpu, and other metrics by their names. It does not
// answer where it has nothing.
type pipeline struct {
	cpu      metrics.PodMetricsInfo
	custom   map[string]metrics.PodMetricsInfo
	object   map[string]int64
	external map[string][]int64
}

var errPipeline = errors.New("the pipeline does not answer")

// ofPods gives a copy, since the calculator deletes from what it is given.
func ofPods(m metrics.PodMetricsInfo) (metrics.PodMetricsInfo, time.Time, error) {
	if m == nil {
		return nil, time.Time{}, errPipeline
	}
	return maps.Clone(m), time.Now(), nil
}

func (p *pipeline) GetResourceMetric(context.Context, v1.ResourceName, string, labels.Selector, string) (
	metrics.PodMetricsInfo, time.Time, error) {
	return ofPods(p.cpu)
}

func (p *pipeline) GetRawMetric(name, _ string, _, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return ofPods(p.custom[name])
}

func (p *pipeline) GetObjectMetric(name, _ string, _ *autoscaling.CrossVersionObjectReference, _ labels.Selector) (
	int64, time.Time, error) {
	x, there := p.object[name]
	if !there {
		return 0, time.Time{}, errPipeline
	}
	return x, time.Now(), nil
}

func (p *pipeline) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	if p.external[name] == nil {
		return nil, time.Time{}, errPipeline
	}
	return p.external[name], time.Now(), nil
}

// cluster is what the controller reads and writes, in the place of the API server and of the caches of the client: one
// object, the scale of its deployment, and the pods. It answers in no time, but for before, which may sleep.
type cluster struct {
	pods
	*pipeline
	stored   *autoscaling.HorizontalPodAutoscaler
	replicas int // that the deployment's spec asks for
	there    int // that its status says there are
	before   func()
	handler  cache.ResourceEventHandler
	objects  cache.Indexer // stored alone
}

// flags are those of the controller manager.
type flags struct {
	downscaleStabilization, initialization, readiness time.Duration
	tolerance                                         float64
}

const sync = 15 * time.Second

// run runs the whole controller until the context ends. It must be in a bubble of package synctest.
func (c *cluster) run(ctx context.Context, f flags) error {
	utilruntime.ErrorHandlers = nil // a metric that is missing would be said, and slept over, each time
	klog.SetLogger(logr.Discard())
	c.objects = cache.NewIndexer(cache.MetaNamespaceKeyFunc,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	if err := c.objects.Add(c.stored); err != nil {
		return err
	}
	mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "apps", Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, apimeta.RESTScopeNamespace)
	h := podautoscaler.NewHorizontalController(ctx, server{c}, server{c}, server{c}, mapper, c, hpas{c: c},
		podsOf{c: c}, sync, f.downscaleStabilization, f.tolerance, f.initialization, f.readiness)
	c.handler.OnAdd(c.stored, true)
	h.Run(ctx, 1)
	return nil
}

// server is the API server's part.
type server struct{ *cluster }

func (s server) Scales(string) scale.ScaleInterface      { return scales{c: s.cluster} }
func (s server) Events(string) coreclient.EventInterface { return events{} }
func (s server) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return client{c: s.cluster}
}

type scales struct {
	scale.ScaleInterface
	c *cluster
}

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	s.c.before()
	return &autoscalingv1.Scale{ObjectMeta: meta("x"), Spec: autoscalingv1.ScaleSpec{Replicas: int32(s.c.replicas)},
		Status: autoscalingv1.ScaleStatus{Replicas: int32(s.c.there), Selector: selector.String()}}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, to *autoscalingv1.Scale, _ metav1.UpdateOptions) (
	*autoscalingv1.Scale, error) {
	s.c.replicas = int(to.Spec.Replicas)
	return to, nil
}

type client struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	c *cluster
}

func (s client) UpdateStatus(_ context.Context, to *autoscaling.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (
	*autoscaling.HorizontalPodAutoscaler, error) {
	old := s.c.stored
	s.c.stored = to.DeepCopy()
	s.c.stored.Spec = old.Spec // the controller completes its copy, and the server takes the status alone
	err := s.c.objects.Update(s.c.stored)
	s.c.handler.OnUpdate(old, s.c.stored)
	return s.c.stored, err
}

// events throws them away.
type events struct{ coreclient.EventInterface }

func (events) CreateWithEventNamespace(e *v1.Event) (*v1.Event, error)          { return e, nil }
func (events) PatchWithEventNamespace(e *v1.Event, _ []byte) (*v1.Event, error) { return e, nil }

// hpas and podsOf are the caches of the client. They are filled at once.
type hpas struct {
	informers.HorizontalPodAutoscalerInformer
	cache.SharedIndexInformer
	c *cluster
}

func (o hpas) Informer() cache.SharedIndexInformer { return o }
func (o hpas) HasSynced() bool                     { return true }

func (o hpas) Lister() listers.HorizontalPodAutoscalerLister {
	return listers.NewHorizontalPodAutoscalerLister(o.c.objects)
}

func (o hpas) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (
	cache.ResourceEventHandlerRegistration, error) {
	o.c.handler = h
	return nil, nil
}

type podsOf struct {
	coreinformers.PodInformer
	cache.SharedIndexInformer
	c *cluster
}

func (p podsOf) Informer() cache.SharedIndexInformer { return p }
func (p podsOf) HasSynced() bool                     { return true }
func (p podsOf) Lister() corelisters.PodLister       { return p.c.lister() }
